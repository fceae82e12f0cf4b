/** The architectures whose memory layouts are known, as `process.arch` names them. */
export type Architecture = 'x64' | 'arm64';

/** Where the fields of a C struct are, in bytes from its beginning, and how long it is. */
export type Layout<Field extends string> = {
  readonly size: number;
  readonly offsets: Readonly<Record<Field, number>>;
};

/** The layouts of the structs that the relay passes to the kernel; both architectures are little-endian. */
export type Layouts = {
  readonly sockaddr_in: Layout<'sin_family' | 'sin_port' | 'sin_addr'>;
  readonly sockaddr_in6: Layout<
    'sin6_family' | 'sin6_port' | 'sin6_flowinfo' | 'sin6_addr' | 'sin6_scope_id'
  >;
  readonly epoll_event: Layout<'events' | 'data'>;
  readonly linger: Layout<'l_onoff' | 'l_linger'>;
  readonly iovec: Layout<'iov_base' | 'iov_len'>;
  readonly msghdr: Layout<
    'msg_name' | 'msg_namelen' | 'msg_iov' | 'msg_iovlen' | 'msg_control' | 'msg_controllen' | 'msg_flags'
  >;
  readonly mmsghdr: Layout<'msg_hdr' | 'msg_len'>;
  readonly cmsghdr: Layout<'cmsg_len' | 'cmsg_level' | 'cmsg_type'>;
  readonly in_pktinfo: Layout<'ipi_ifindex' | 'ipi_spec_dst' | 'ipi_addr'>;
  readonly in6_pktinfo: Layout<'ipi6_addr' | 'ipi6_ifindex'>;
  readonly rlimit: Layout<'rlim_cur' | 'rlim_max'>;
  readonly sock_filter: Layout<'code' | 'jt' | 'jf' | 'k'>;
  readonly sock_fprog: Layout<'len' | 'filter'>;
};

const common = {
  sockaddr_in: { size: 16, offsets: { sin_family: 0, sin_port: 2, sin_addr: 4 } },
  sockaddr_in6: {
    size: 28,
    offsets: { sin6_family: 0, sin6_port: 2, sin6_flowinfo: 4, sin6_addr: 8, sin6_scope_id: 24 },
  },
  linger: { size: 8, offsets: { l_onoff: 0, l_linger: 4 } },
  iovec: { size: 16, offsets: { iov_base: 0, iov_len: 8 } },
  msghdr: {
    size: 56,
    offsets: {
      msg_name: 0,
      msg_namelen: 8,
      msg_iov: 16,
      msg_iovlen: 24,
      msg_control: 32,
      msg_controllen: 40,
      msg_flags: 48,
    },
  },
  mmsghdr: { size: 64, offsets: { msg_hdr: 0, msg_len: 56 } },
  cmsghdr: { size: 16, offsets: { cmsg_len: 0, cmsg_level: 8, cmsg_type: 12 } },
  in_pktinfo: { size: 12, offsets: { ipi_ifindex: 0, ipi_spec_dst: 4, ipi_addr: 8 } },
  in6_pktinfo: { size: 20, offsets: { ipi6_addr: 0, ipi6_ifindex: 16 } },
  rlimit: { size: 16, offsets: { rlim_cur: 0, rlim_max: 8 } },
  sock_filter: { size: 8, offsets: { code: 0, jt: 2, jf: 3, k: 4 } },
  sock_fprog: { size: 16, offsets: { len: 0, filter: 8 } },
} as const satisfies Omit<Layouts, 'epoll_event'>;

const layoutsOf: Readonly<Record<Architecture, Layouts>> = {
  // eventpoll.h: EPOLL_PACKED, "On x86-64 make the 64bit structure have the same alignment as the 32bit structure"
  x64: { ...common, epoll_event: { size: 12, offsets: { events: 0, data: 4 } } },
  arm64: { ...common, epoll_event: { size: 16, offsets: { events: 0, data: 8 } } },
};

/** Whether the layouts of `arch` are known. */
export function isKnownArchitecture(arch: string): arch is Architecture {
  return arch === 'x64' || arch === 'arm64';
}

/** The layouts on `arch`; those of x64 if it is unknown, where nothing of this room is loaded. */
export function layoutsFor(arch: string): Layouts {
  return layoutsOf[isKnownArchitecture(arch) ? arch : 'x64'];
}

/** The layouts on this machine. */
export const layouts = layoutsFor(process.arch);
