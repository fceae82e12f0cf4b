/**
 * The numbers of Linux that the relay uses, equal on x64 and arm64. A test compares each with what a C compiler has.
 *
 * Source: the uapi headers of Linux and the headers of glibc.
 */
export const constants = {
  AF_INET: 2,
  AF_INET6: 10,
  AF_UNIX: 1,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  IPPROTO_MPTCP: 262,
  SHUT_WR: 1,
  MSG_PEEK: 2,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,

  EPOLLIN: 1,
  EPOLLOUT: 4,
  EPOLLERR: 8,
  EPOLLHUP: 0x10,
  EPOLLRDHUP: 0x2000,
  EPOLLEXCLUSIVE: 0x1000_0000,
  EPOLLET: 0x8000_0000,
  EPOLL_CLOEXEC: 0o2000000,
  EPOLL_CTL_ADD: 1,
  EPOLL_CTL_DEL: 2,
  EPOLL_CTL_MOD: 3,

  O_NONBLOCK: 0o4000,
  O_CLOEXEC: 0o2000000,
  F_DUPFD_CLOEXEC: 1030,
  F_SETPIPE_SZ: 1031,
  F_GETPIPE_SZ: 1032,
  SPLICE_F_MOVE: 1,
  SPLICE_F_NONBLOCK: 2,

  SOL_SOCKET: 1,
  SOL_UDP: 17,
  IPPROTO_IP: 0,
  IPPROTO_IPV6: 41,
  IPPROTO_TCP: 6,
  SO_REUSEADDR: 2,
  SO_ERROR: 4,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_KEEPALIVE: 9,
  SO_LINGER: 13,
  SO_REUSEPORT: 15,
  SO_BINDTODEVICE: 25,
  SO_ATTACH_REUSEPORT_CBPF: 51,
  SO_MEMINFO: 55,
  TCP_NODELAY: 1,
  TCP_KEEPIDLE: 4,
  TCP_KEEPINTVL: 5,
  TCP_KEEPCNT: 6,
  TCP_INFO: 11,
  TCP_USER_TIMEOUT: 18,
  IP_TOS: 1,
  IP_PKTINFO: 8,
  IP_BIND_ADDRESS_NO_PORT: 24,
  IPV6_V6ONLY: 26,
  IPV6_RECVPKTINFO: 49,
  IPV6_PKTINFO: 50,
  IPV6_TCLASS: 67,
  UDP_SEGMENT: 103,
  UDP_GRO: 104,

  RLIMIT_NOFILE: 7,

  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  EINVAL: 22,
  EMSGSIZE: 90,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  EINPROGRESS: 115,
} as const;

/** The type of the handle that libuv polls a descriptor with. Source: uv.h, `UV_POLL` of `uv_handle_type`. */
export const uvPollType = 8;

/** The events of libuv's poll handles. Source: uv.h, `UV_READABLE` of `uv_poll_event`. */
export const uvReadable = 1;

/**
 * The flags of libuv's handles: where they are in a `uv_handle_t`, those of a poll handle that was started, and the one
 * of handles that `uv_loop_close` does not count. Source: uv.h (UV_HANDLE_FIELDS), uv/unix.h, and uv-common.h
 * (UV_HANDLE_ACTIVE and UV_HANDLE_REF; UV_HANDLE_INTERNAL).
 */
export const uvHandleFlags = { offset: 88, started: 0x4 | 0x8, internal: 0x10 } as const;
