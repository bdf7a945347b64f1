//! How each peer node is reached: directly, by IPIP or by VXLAN; the devices, forwarding entries and MTU that follow
