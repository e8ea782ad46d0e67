/*
 * Faults of the system below, for tests: preloaded into a program, it makes system calls fail or lie as the
 * environment says.
 *
 *   SHIM_FLOCK=lie          flock and fcntl locks succeed at once and lock nothing
 *   SHIM_ENOSPC_AFTER=N     writes to regular files fail with ENOSPC after N bytes in all of this process
 *   SHIM_EIO_AFTER=N        the same with EIO
 *   SHIM_KILL_AFTER=N       the process is killed in the middle of the write that reaches N bytes
 *   SHIM_ONLY=TEXT          the three above are only about files whose path holds TEXT
 *   SHIM_SOCKET=deny        no socket of AF_INET or AF_INET6 and no name lookup; each try is a line in SHIM_LOG
 *   SHIM_LINK=deny          no hard links (EPERM), no clones (EOPNOTSUPP)
 *   SHIM_READ_ONLY=TEXT     nothing is opened for writing, made, renamed or removed (EACCES) where the path holds TEXT
 *   SHIM_SYNC_LOG=FILE      a line for each sync, syncfs, fsync, fdatasync
 *
 * Programs that make system calls without libc are caught as well: the calls are trapped by seccomp, and a signal
 * handler gives the answer. Calls that the handler makes itself pass the filter by the address that they come from,
 * which is a fixed one: filters outlast exec, and what is started so (with this preloaded too) must pass its
 * forerunner's. A program that is started without this library is killed. Linux on x86-64 only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __x86_64__
#error "only x86-64"
#endif

/* Makes a system call; its code is copied to the one place that the filter lets through. */
extern const char shim_code[], shim_after_call[], shim_code_end[];
__asm__(".text\n"
        ".hidden shim_code\n.hidden shim_after_call\n.hidden shim_code_end\n"
        "shim_code:\n"
        "  mov %rdi, %rax\n  mov %rsi, %rdi\n  mov %rdx, %rsi\n  mov %rcx, %rdx\n"
        "  mov %r8, %r10\n  mov %r9, %r8\n  mov 8(%rsp), %r9\n"
        "  syscall\n"
        "shim_after_call:\n"
        "  ret\n"
        "shim_code_end:\n");

#define PLACE 0x5e5700000000
static long (*const shim_raw)(long number, long a, long b, long c, long d, long e, long f) = (void *)PLACE;

enum after { NOTHING, FAIL_ENOSPC, FAIL_EIO, DIE };

static enum after mode;
static uint64_t budget;
static _Atomic uint64_t used;
static const char *only, *frozen;
static int deny_sockets;
static int log_fd = -1, sync_fd = -1;

static void say(int fd, const char *text) {
    if (fd >= 0)
        shim_raw(SYS_write, fd, (long)text, (long)strlen(text), 0, 0, 0);
}

/* Whether the budget is about this file: never about what the program prints, wherever that goes. */
static int concerned(long fd) {
    char link[32] = "/proc/self/fd/", path[4096], digits[20];
    struct stat status;
    int n = 0, at = 14;
    if (fd < 3 || shim_raw(SYS_fstat, fd, (long)&status, 0, 0, 0, 0) != 0 || !S_ISREG(status.st_mode))
        return 0;
    if (!only)
        return 1;
    for (long rest = fd; n == 0 || rest > 0; rest /= 10)
        digits[n++] = (char)('0' + rest % 10);
    while (n > 0)
        link[at++] = digits[--n];
    long length = shim_raw(SYS_readlink, (long)link, (long)path, sizeof path - 1, 0, 0, 0);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strstr(path, only) != 0;
}

/* How many of these bytes may still be written. */
static uint64_t grant(uint64_t wanted) {
    uint64_t before = atomic_load(&used), granted;
    do {
        uint64_t left = budget - before;
        granted = wanted < left ? wanted : left;
    } while (!atomic_compare_exchange_weak(&used, &before, before + granted));
    return granted;
}

/* What a write that is refused gives. */
static long refuse(void) {
    if (mode == DIE)
        shim_raw(SYS_kill, shim_raw(SYS_getpid, 0, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0, 0);
    return mode == FAIL_EIO ? -EIO : -ENOSPC;
}

static uint64_t total(const struct iovec *vector, long count) {
    uint64_t sum = 0;
    for (long i = 0; i < count; i++)
        sum += vector[i].iov_len;
    return sum;
}

/* A write under the budget; `length` says which argument holds the bytes that are wanted. */
static long limited(long number, long *a, int fd, int length) {
    int vectored = number == SYS_writev || number == SYS_pwritev || number == SYS_pwritev2;
    if (mode == NOTHING || !concerned(a[fd]))
        return shim_raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    uint64_t wanted = vectored ? total((const struct iovec *)a[1], a[2]) : (uint64_t)a[length];
    if (number == SYS_fallocate) {
        /* Room that is set aside is not used up, for what is written there counts. */
        int fits = wanted <= budget - atomic_load(&used);
        return fits ? shim_raw(number, a[0], a[1], a[2], a[3], a[4], a[5]) : refuse();
    }
    uint64_t granted = grant(wanted);
    if (granted == 0 && wanted > 0)
        return refuse();
    if (granted == wanted)
        return shim_raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    long written;
    if (vectored) {
        /* A prefix will do: the caller has to go on with what is left. */
        const struct iovec *vector = (const struct iovec *)a[1];
        while (vector->iov_len == 0)
            vector++;
        uint64_t n = vector->iov_len < granted ? vector->iov_len : granted;
        written = number == SYS_writev ? shim_raw(SYS_write, a[0], (long)vector->iov_base, (long)n, 0, 0, 0)
                                       : shim_raw(SYS_pwrite64, a[0], (long)vector->iov_base, (long)n, a[3], 0, 0);
    } else {
        a[length] = (long)granted;
        written = shim_raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    return mode == DIE ? refuse() : written;
}

/* Whether a call would change something below a path that is not to be written to. */
static int forbidden(long number, const long *a) {
    int at = number == SYS_openat || number == SYS_mkdirat || number == SYS_unlinkat || number == SYS_renameat ||
             number == SYS_renameat2;
    const char *path = (const char *)a[at ? 1 : 0];
    long flags = number == SYS_openat ? a[2] : number == SYS_open ? a[1] : O_WRONLY;
    return path && strstr(path, frozen) && (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0;
}

static long answer(long number, long *a) {
    switch (number) {
    case SYS_open:
    case SYS_openat:
    case SYS_mkdir:
    case SYS_mkdirat:
    case SYS_unlink:
    case SYS_unlinkat:
    case SYS_rename:
    case SYS_renameat:
    case SYS_renameat2:
        if (forbidden(number, a))
            return -EACCES;
        break;
    case SYS_flock:
    case SYS_fcntl: /* The filter lets all but locks through. */
        return 0;
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
        return limited(number, a, 0, 2);
    case SYS_sendfile:
        return limited(number, a, 0, 3);
    case SYS_copy_file_range:
        return limited(number, a, 2, 4);
    case SYS_fallocate:
        return limited(number, a, 0, 3);
    case SYS_socket:
    case SYS_io_uring_setup:
        say(log_fd, number == SYS_socket ? "socket\n" : "io_uring_setup\n");
        return -EACCES;
    case SYS_connect: {
        sa_family_t family = ((const struct sockaddr *)a[1])->sa_family;
        if (family != AF_INET && family != AF_INET6)
            break;
        say(log_fd, "connect\n");
        return -EACCES;
    }
    case SYS_link:
    case SYS_linkat:
        return -EPERM;
    case SYS_ioctl: /* The filter lets all but clones through. */
        return -EOPNOTSUPP;
    case SYS_sync:
        say(sync_fd, "sync\n");
        break;
    case SYS_syncfs:
        say(sync_fd, "syncfs\n");
        break;
    case SYS_fsync:
        say(sync_fd, "fsync\n");
        break;
    case SYS_fdatasync:
        say(sync_fd, "fdatasync\n");
        break;
    }
    return shim_raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void trapped(int signal, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    long a[6] = {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                 registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
    (void)signal;
    registers[REG_RAX] = answer(info->si_syscall, a);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    if (deny_sockets) {
        say(log_fd, "getaddrinfo\n");
        return EAI_FAIL;
    }
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, service, hints, found);
}

static struct sock_filter filter[128];
static unsigned short steps;

static void step(struct sock_filter one) { filter[steps++] = one; }
#define LOAD(field) step((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field))
#define SAME(value, yes, no) step((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no))
#define END(what) step((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what))

static void trap(unsigned number) {
    SAME(number, 0, 1);
    END(SECCOMP_RET_TRAP);
}

/* Traps a call only where the low half of an argument has this value. */
static void trap_where(unsigned number, int argument, unsigned value) {
    SAME(number, 0, 4);
    LOAD(offsetof(struct seccomp_data, args) + 8 * (unsigned)argument);
    SAME(value, 0, 1);
    END(SECCOMP_RET_TRAP);
    LOAD(offsetof(struct seccomp_data, nr));
}

static int is(const char *name, const char *value) {
    const char *set = getenv(name);
    return set && strcmp(set, value) == 0;
}

static int append_to(const char *name) {
    const char *path = getenv(name);
    return path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
}

static void after(const char *name, enum after wanted) {
    const char *bytes = getenv(name);
    if (bytes) {
        mode = wanted;
        budget = strtoull(bytes, 0, 10);
    }
}

__attribute__((constructor)) static void start(void) {
    uint64_t passage = PLACE + (uint64_t)(shim_after_call - shim_code);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    void *place = mmap((void *)PLACE, 4096, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (place != (void *)PLACE)
        _exit(97);
    memcpy(place, shim_code, (size_t)(shim_code_end - shim_code));
    if (mprotect(place, 4096, PROT_READ | PROT_EXEC) != 0)
        _exit(97);
    after("SHIM_ENOSPC_AFTER", FAIL_ENOSPC);
    after("SHIM_EIO_AFTER", FAIL_EIO);
    after("SHIM_KILL_AFTER", DIE);
    only = getenv("SHIM_ONLY");
    frozen = getenv("SHIM_READ_ONLY");
    deny_sockets = is("SHIM_SOCKET", "deny");
    log_fd = append_to("SHIM_LOG");
    sync_fd = append_to("SHIM_SYNC_LOG");

    LOAD(offsetof(struct seccomp_data, arch));
    SAME(AUDIT_ARCH_X86_64, 1, 0);
    END(SECCOMP_RET_ALLOW);
    LOAD(offsetof(struct seccomp_data, instruction_pointer));
    SAME((unsigned)passage, 0, 3);
    LOAD(offsetof(struct seccomp_data, instruction_pointer) + 4);
    SAME((unsigned)(passage >> 32), 0, 1);
    END(SECCOMP_RET_ALLOW);
    LOAD(offsetof(struct seccomp_data, nr));
    unsigned short before = steps;
    if (is("SHIM_FLOCK", "lie")) {
        trap(SYS_flock);
        trap_where(SYS_fcntl, 1, F_SETLK);
        trap_where(SYS_fcntl, 1, F_SETLKW);
        trap_where(SYS_fcntl, 1, F_OFD_SETLK);
        trap_where(SYS_fcntl, 1, F_OFD_SETLKW);
    }
    if (mode != NOTHING) {
        static const unsigned writes[] = {SYS_write,    SYS_pwrite64, SYS_writev,          SYS_pwritev,
                                          SYS_pwritev2, SYS_sendfile, SYS_copy_file_range, SYS_fallocate};
        for (unsigned i = 0; i < sizeof writes / sizeof *writes; i++)
            trap(writes[i]);
    }
    if (deny_sockets) {
        trap_where(SYS_socket, 0, AF_INET);
        trap_where(SYS_socket, 0, AF_INET6);
        trap(SYS_connect);
        trap(SYS_io_uring_setup);
    }
    if (is("SHIM_LINK", "deny")) {
        trap(SYS_link);
        trap(SYS_linkat);
        trap_where(SYS_ioctl, 1, (unsigned)FICLONE);
        trap_where(SYS_ioctl, 1, (unsigned)FICLONERANGE);
    }
    if (frozen) {
        static const unsigned changes[] = {SYS_open,     SYS_openat, SYS_mkdir,    SYS_mkdirat,  SYS_unlink,
                                           SYS_unlinkat, SYS_rename, SYS_renameat, SYS_renameat2};
        for (unsigned i = 0; i < sizeof changes / sizeof *changes; i++)
            trap(changes[i]);
    }
    if (sync_fd >= 0) {
        trap(SYS_sync);
        trap(SYS_syncfs);
        trap(SYS_fsync);
        trap(SYS_fdatasync);
    }
    if (steps == before)
        return;
    END(SECCOMP_RET_ALLOW);

    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sock_fprog program = {steps, filter};
    if (sigaction(SIGSYS, &action, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        say(2, "shim: seccomp is not to be had\n");
        _exit(97);
    }
}
