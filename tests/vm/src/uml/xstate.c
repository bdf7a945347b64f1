/*
 * User-mode Linux reads and writes the extended registers of its processes with ptrace(2) through a buffer of
 * fixed size. On processors with a larger state (AMX) the kernel refuses to set from a buffer that is not
 * whole, and user-mode Linux panics. Loaded in front of it, this gives the kernel a whole buffer: what user-mode
 * Linux knows comes from its own, the rest from the process as it is.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

/* The largest state of today's processors is 11 KiB; each call fills it anew. */
#define LARGEST (64 * 1024)
static __thread unsigned char whole[LARGEST] __attribute__((aligned(64)));

static long get_whole(long pid, struct iovec *iov)
{
	iov->iov_base = whole;
	iov->iov_len = LARGEST;
	return syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, iov);
}

static long get(long pid, struct iovec *theirs)
{
	struct iovec iov;
	long result = get_whole(pid, &iov);

	if (result != 0)
		return result;
	if (iov.iov_len < theirs->iov_len)
		theirs->iov_len = iov.iov_len;
	memcpy(theirs->iov_base, whole, theirs->iov_len);
	return 0;
}

static long set(long pid, struct iovec *theirs)
{
	struct iovec iov;
	long result = get_whole(pid, &iov);

	if (result != 0)
		return result;
	memcpy(whole, theirs->iov_base, theirs->iov_len < iov.iov_len ? theirs->iov_len : iov.iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;
	long pid, address, data, word = 0, result;

	va_start(arguments, request);
	pid = va_arg(arguments, long);
	address = va_arg(arguments, long);
	data = va_arg(arguments, long);
	va_end(arguments);
	pid = (int)pid;
	if (address == NT_X86_XSTATE && request == PTRACE_GETREGSET)
		return get(pid, (struct iovec *)data);
	if (address == NT_X86_XSTATE && request == PTRACE_SETREGSET)
		return set(pid, (struct iovec *)data);
	/* The C library's own promise: reading requests return the word, the system call stores it. */
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
		result = syscall(SYS_ptrace, request, pid, address, &word);
		if (result != 0)
			return -1;
		errno = 0;
		return word;
	}
	return syscall(SYS_ptrace, request, pid, address, data);
}
