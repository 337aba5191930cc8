// The relay inside of the kernel, for plain streams: RTP from the latched source goes on to the
// other side of its call, everything else goes up to the sockets. Runs as XDP or at the ingress of
// tc.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "media/kernel/layout.h"

#define INLINE static inline __attribute__((always_inline))
#define SECTION(name) __attribute__((section(name), used))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define swap16(x) __builtin_bswap16(x)
#define swap32(x) __builtin_bswap32(x)
#else
#define swap16(x) (x)
#define swap32(x) (x)
#endif

// The maps are made by the loader, which knows them by these names.
struct tandem_map {
  int unused;
};
struct tandem_map settings SECTION("maps");
struct tandem_map states SECTION("maps");
struct tandem_map streams SECTION("maps");

static void* (*map_at)(void* map, const void* key) = (void*)BPF_FUNC_map_lookup_elem;
static __u64 (*now_ns)(void) = (void*)BPF_FUNC_ktime_get_ns;
static long (*route)(void* ctx, struct bpf_fib_lookup* params, int size,
                     __u32 flags) = (void*)BPF_FUNC_fib_lookup;
static long (*redirect)(__u32 interface, __u64 flags) = (void*)BPF_FUNC_redirect;
static long (*redirect_neigh)(__u32 interface, void* params, int size,
                              __u64 flags) = (void*)BPF_FUNC_redirect_neigh;
static __s64 (*sum_difference)(__be32* from, __u32 from_size, __be32* to, __u32 to_size,
                               __u32 seed) = (void*)BPF_FUNC_csum_diff;
static long (*replace_l4_sum)(struct __sk_buff* skb, __u32 offset, __u64 from, __u64 to,
                              __u64 flags) = (void*)BPF_FUNC_l4_csum_replace;

enum verdict { GOES_UP, DROPPED, GOES_ON };

#define HOPS 64           // of what is sent, as of any packet that begins here
#define MISORDER_MAX 100  // RFC 3550 appendix A.1, as the sockets' path has it
#define DROPOUT_MAX 3000
#define JITTER_JUMP_MAX_S 2
#define NEXT_HOP_NS 1000000000ULL
#define FORWARDING_IS_OFF 5  // BPF_FIB_LKUP_RET_FWD_DISABLED

struct frame {
  void* ctx;
  void* data;
  void* end;
  __u32 interface;
};

INLINE __u16 folded(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u16)sum;
}

INLINE __u32 halves(__u32 word) { return (word & 0xffff) + (word >> 16); }

INLINE struct tandem_stream* stream_of(__u32 pair) {
  const __u64* const state = map_at(&states, &pair);
  if (!state) return 0;
  const __u64 value = *(const volatile __u64*)state;
  if (!(value & TANDEM_STREAM_ON)) return 0;
  const __u32 place = 2 * pair + ((value & TANDEM_STREAM_BANK) ? 1 : 0);
  return map_at(&streams, &place);
}

// Where `stream` goes from here, asked of the routes once a second. A machine that does not forward
// says nothing of its routes to a program: then it is where the packets of the way back come from.
INLINE int find_next_hop(const struct frame* frame, const struct tandem_relay_settings* set,
                         struct tandem_stream* stream, __u16 ip_bytes, __u64 now) {
  const struct ethhdr* const ethernet = frame->data;
  if ((void*)(ethernet + 1) > frame->end) return 0;
  __builtin_memcpy(stream->seen_from, ethernet->h_source, 6);
  __builtin_memcpy(stream->seen_to, ethernet->h_dest, 6);
  stream->seen_interface = frame->interface;

  struct bpf_fib_lookup ask;
  __builtin_memset(&ask, 0, sizeof ask);
  ask.l4_protocol = IPPROTO_UDP;
  ask.sport = stream->out_port;
  ask.dport = stream->to_port;
  ask.tot_len = ip_bytes;
  ask.ifindex = frame->interface;
  if (stream->family == 4) {
    ask.family = 2;  // AF_INET
    ask.tos = stream->tos;
    ask.ipv4_src = set->own4;
    ask.ipv4_dst = stream->to_ip[0];
  } else {
    ask.family = 10;  // AF_INET6
    __builtin_memcpy(ask.ipv6_src, set->own6, 16);
    __builtin_memcpy(ask.ipv6_dst, stream->to_ip, 16);
  }
  const long answer = route(frame->ctx, &ask, sizeof ask, 0);
  if (answer == FORWARDING_IS_OFF) {
    // Where else it may go, nothing says: another router, this machine.
    const struct tandem_stream* const back = stream_of(stream->peer);
    if (!back || !back->seen_interface || back->family != stream->family) return 0;
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (back->from_ip[i] != stream->to_ip[i]) return 0;
    stream->next_interface = back->seen_interface;
    __builtin_memcpy(stream->next_to, back->seen_from, 6);
    __builtin_memcpy(stream->next_from, back->seen_to, 6);
  } else if (answer == 0) {
    stream->next_interface = ask.ifindex;
    __builtin_memcpy(stream->next_to, ask.dmac, 6);
    __builtin_memcpy(stream->next_from, ask.smac, 6);
  } else {
    return 0;
  }
  int is_ours = 0;
#pragma unroll
  for (int i = 0; i < TANDEM_RELAY_INTERFACES_MAX; ++i)
    if (set->interfaces[i] == stream->next_interface) is_ours = 1;
  if (!is_ours) return 0;
  stream->next_until_ns = now + NEXT_HOP_NS;
  return 1;
}

// RTP that the sockets' path would count as one more packet of the stream: its SSRC, near in
// sequence. Sets `step` to how far ahead it is.
INLINE int fits(const struct frame* frame, const struct tandem_stream* stream, const __u8* rtp,
                __u32 bytes, __s32* step) {
  if (bytes < 12 || (void*)(rtp + 12) > frame->end) return 0;
  if (rtp[0] >> 6 != 2 || (rtp[1] >= 192 && rtp[1] <= 223)) return 0;
  const __u8 type = rtp[1] & 0x7f;
  if (!(stream->types[type >> 6] >> (type & 63) & 1)) return 0;
  __u32 header = 12 + 4U * (rtp[0] & 15);
  if (rtp[0] & 0x10) {
    const __u8* const extension = rtp + header;
    if ((void*)(extension + 4) > frame->end) return 0;
    header += 4 + 4U * ((__u32)extension[2] << 8 | extension[3]);
  }
  if (bytes < header) return 0;
  if (*(const __u32*)(rtp + 8) != stream->ssrc) return 0;
  const __u16 sequence = swap16(*(const __u16*)(rtp + 2));
  *step = (__s16)(sequence - (__u16)stream->highest_sequence);
  if (*step >= DROPOUT_MAX || *step <= -MISORDER_MAX) return 0;
  return (__s32)(stream->highest_sequence + (__u32)*step - stream->base_sequence) >= 0;
}

INLINE void count(struct tandem_stream* stream, const __u8* rtp, __u32 bytes, __s32 step,
                  __u64 now) {
  stream->packets += 1;
  stream->bytes += bytes;
  stream->last_ns = now;
  if (step > 0) stream->highest_sequence += (__u32)step;
  const __u32 timestamp = swap32(*(const __u32*)(rtp + 4));
  if (timestamp == stream->timestamp) return;
  const __u32 transit = (__u32)(now / 1000 * stream->clock_rate_hz / 1000000) - timestamp;
  const __s32 change = (__s32)(transit - stream->transit);
  const __u32 distance = change < 0 ? 0U - (__u32)change : (__u32)change;
  stream->transit = transit;
  stream->timestamp = timestamp;
  if (distance > JITTER_JUMP_MAX_S * stream->clock_rate_hz) return;
  stream->jitter_q4 += distance - ((stream->jitter_q4 + 8) >> 4);
}

INLINE int is_within_rate(const struct tandem_relay_settings* set, struct tandem_stream* stream,
                          __u64 now) {
  if (!set->step_ns) return 1;
  __u64 due = stream->due_ns;
  if (due + set->ahead_ns < now) due = now - set->ahead_ns;
  if (due > now) return 0;
  stream->due_ns = due + set->step_ns;
  return 1;
}

// What the packet is for, and whether it goes on; everything about it that changes is counted.
INLINE enum verdict judge(const struct frame* frame, const struct tandem_relay_settings* set,
                          __u32 pair, const __u32* from_ip, int is_ipv6, const struct udphdr* udp,
                          __u16 ip_bytes, struct tandem_stream** found) {
  struct tandem_stream* const stream = stream_of(pair);
  if (!stream) return GOES_UP;
  if (stream->from_port != udp->source || stream->from_ip[0] != from_ip[0]) return GOES_UP;
  if (is_ipv6 && (stream->from_ip[1] != from_ip[1] || stream->from_ip[2] != from_ip[2] ||
                  stream->from_ip[3] != from_ip[3]))
    return GOES_UP;
  if (ip_bytes > set->packet_bytes_max) return GOES_UP;
  const __u32 bytes = swap16(udp->len) - (__u32)sizeof *udp;
  const __u8* const rtp = (const __u8*)(udp + 1);
  __s32 step = 0;
  if (!fits(frame, stream, rtp, bytes, &step)) return GOES_UP;
  const __u64 now = now_ns();
  if (now >= stream->next_until_ns && !find_next_hop(frame, set, stream, ip_bytes, now)) {
    stream->passed_up += 1;
    return GOES_UP;
  }
  if (!is_within_rate(set, stream, now)) {
    stream->policed += 1;
    return DROPPED;
  }
  count(stream, rtp, bytes, step, now);
  *found = stream;
  return GOES_ON;
}

// The pair of ports that a datagram is for, or one that there is not.
INLINE __u32 pair_of(const struct tandem_relay_settings* set, __u16 port, int is_ipv6) {
  const __u32 offset = (__u32)swap16(port) - set->port_first;
  if (offset >= 2 * set->pairs || offset & 1) return ~0U;  // RTCP goes up
  return offset / 2 + (is_ipv6 ? set->pairs : 0);
}

INLINE void set_ethernet(struct ethhdr* ethernet, const struct tandem_stream* stream) {
  __builtin_memcpy(ethernet->h_dest, stream->next_to, 6);
  __builtin_memcpy(ethernet->h_source, stream->next_from, 6);
}

// Changes the IPv4 header; its checksum stays right.
INLINE void set_ipv4(struct iphdr* ip, __u32 own, const struct tandem_stream* stream) {
  __u16* const words = (__u16*)ip;
  const __u16 was_first = words[0], was_hops = words[4];
  ip->tos = stream->tos;
  ip->ttl = HOPS;
  const __u32 sum = (__u16)~ip->check + (__u16)~was_first + (__u32)words[0] + (__u16)~was_hops +
                    words[4] + halves(~ip->saddr) + halves(stream->to_ip[0]);
  ip->check = (__u16)~folded(sum);
  ip->saddr = own;
  ip->daddr = stream->to_ip[0];
}

INLINE void set_ipv6(struct ipv6hdr* ip, const __u32* own, const struct tandem_stream* stream) {
  *(__u32*)ip = swap32(6U << 28 | (__u32)stream->tos << 20);
  ip->hop_limit = HOPS;
  __builtin_memcpy(&ip->saddr, own, 16);
  __builtin_memcpy(&ip->daddr, stream->to_ip, 16);
}

// Both addresses of the pseudo header change, but one of them is own before and after.
INLINE __u32 address_change(const __u32* from, const __u32* to, int is_ipv6) {
  __u32 sum = halves(~from[0]) + halves(to[0]);
  if (is_ipv6) {
#pragma unroll
    for (int i = 1; i < 4; ++i)
      sum += halves(~from[i]) + halves(to[i]);
  }
  return sum;
}

INLINE void set_udp(struct udphdr* udp, const struct tandem_stream* stream, __u32 change) {
  if (udp->check) {
    const __u32 sum = (__u16)~udp->check + (__u32)folded(change) + (__u16)~udp->source +
                      (__u16)~udp->dest + stream->out_port + stream->to_port;
    const __u16 check = (__u16)~folded(sum);
    udp->check = check ? check : 0xffff;
  }
  udp->source = stream->out_port;
  udp->dest = stream->to_port;
}

struct finding {
  struct tandem_stream* stream;
  const struct tandem_relay_settings* set;
  __u32 from_ip[4];
  int is_ipv6;
};

INLINE enum verdict look(const struct frame* frame, struct finding* found) {
  const struct ethhdr* const ethernet = frame->data;
  if ((void*)(ethernet + 1) > frame->end) return GOES_UP;
  const __u32 only = 0;
  const struct tandem_relay_settings* const set = map_at(&settings, &only);
  if (!set) return GOES_UP;
  found->set = set;
  if (ethernet->h_proto == swap16(ETH_P_IP)) {
    const struct iphdr* const ip = (const void*)(ethernet + 1);
    const struct udphdr* const udp = (const void*)(ip + 1);
    if ((void*)(udp + 1) > frame->end) return GOES_UP;
    if (*(const __u8*)ip != 0x45 || ip->protocol != IPPROTO_UDP || ip->daddr != set->own4 ||
        !(set->has_families & 1) || (ip->frag_off & swap16(0x3fff)))
      return GOES_UP;
    const __u16 ip_bytes = swap16(ip->tot_len);
    if (swap16(udp->len) < sizeof *udp || ip_bytes != sizeof *ip + swap16(udp->len) ||
        (const void*)ip + ip_bytes > frame->end)
      return GOES_UP;
    found->is_ipv6 = 0;
    found->from_ip[0] = ip->saddr;
    return judge(frame, set, pair_of(set, udp->dest, 0), found->from_ip, 0, udp, ip_bytes,
                 &found->stream);
  }
  if (ethernet->h_proto != swap16(ETH_P_IPV6)) return GOES_UP;
  const struct ipv6hdr* const ip = (const void*)(ethernet + 1);
  const struct udphdr* const udp = (const void*)(ip + 1);
  if ((void*)(udp + 1) > frame->end) return GOES_UP;
  const __u32* const to = (const __u32*)&ip->daddr;
  if (*(const __u8*)ip >> 4 != 6 || ip->nexthdr != IPPROTO_UDP || !(set->has_families & 2) ||
      to[0] != set->own6[0] || to[1] != set->own6[1] || to[2] != set->own6[2] ||
      to[3] != set->own6[3])
    return GOES_UP;
  const __u16 udp_bytes = swap16(udp->len);
  if (udp_bytes < sizeof *udp || udp_bytes != swap16(ip->payload_len) || !udp->check ||
      (const void*)udp + udp_bytes > frame->end)
    return GOES_UP;
  found->is_ipv6 = 1;
  __builtin_memcpy(found->from_ip, &ip->saddr, 16);
  return judge(frame, set, pair_of(set, udp->dest, 1), found->from_ip, 1, udp,
               (__u16)(udp_bytes + sizeof *ip), &found->stream);
}

SECTION("xdp") int relay_xdp(struct xdp_md* ctx) {
  const struct frame frame = {ctx, (void*)(long)ctx->data, (void*)(long)ctx->data_end,
                              ctx->ingress_ifindex};
  struct finding found;
  const enum verdict verdict = look(&frame, &found);
  if (verdict == GOES_UP) return XDP_PASS;
  if (verdict == DROPPED) return XDP_DROP;
  const struct tandem_stream* const stream = found.stream;
  struct ethhdr* const ethernet = frame.data;
  const __u32 change = address_change(found.from_ip, stream->to_ip, found.is_ipv6);
  if (!found.is_ipv6) {
    struct iphdr* const ip = (void*)(ethernet + 1);
    struct udphdr* const udp = (void*)(ip + 1);
    if ((void*)(udp + 1) > frame.end) return XDP_PASS;
    set_ipv4(ip, found.set->own4, stream);
    set_udp(udp, stream, change);
  } else {
    struct ipv6hdr* const ip = (void*)(ethernet + 1);
    struct udphdr* const udp = (void*)(ip + 1);
    if ((void*)(udp + 1) > frame.end) return XDP_PASS;
    set_ipv6(ip, found.set->own6, stream);
    set_udp(udp, stream, change);
  }
  set_ethernet(ethernet, stream);
  if (stream->next_interface == frame.interface) return XDP_TX;
  return (int)redirect(stream->next_interface, 0);
}

#define PASSED (-1)  // TCX_NEXT: on to whoever else looks at packets here
#define TC_DROP 2

SECTION("tc") int relay_tc(struct __sk_buff* skb) {
  const struct frame frame = {skb, (void*)(long)skb->data, (void*)(long)skb->data_end,
                              skb->ifindex};
  if (skb->vlan_present || skb->gso_size) return PASSED;
  struct finding found;
  const enum verdict verdict = look(&frame, &found);
  if (verdict == GOES_UP) return PASSED;
  if (verdict == DROPPED) return TC_DROP;
  struct tandem_stream* const stream = found.stream;
  struct ethhdr* const ethernet = frame.data;
  // Whether the packet has its checksum already, only the system knows: it changes that.
  const __u64 flags = BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0;
  __u32 offset = sizeof *ethernet + __builtin_offsetof(struct udphdr, check);
  __u16 check, source, dest;
  if (!found.is_ipv6) {
    struct iphdr* const ip = (void*)(ethernet + 1);
    struct udphdr* const udp = (void*)(ip + 1);
    if ((void*)(udp + 1) > frame.end) return PASSED;
    set_ipv4(ip, found.set->own4, stream);
    check = udp->check, source = udp->source, dest = udp->dest;
    udp->source = stream->out_port;
    udp->dest = stream->to_port;
    offset += sizeof *ip;
  } else {
    struct ipv6hdr* const ip = (void*)(ethernet + 1);
    struct udphdr* const udp = (void*)(ip + 1);
    if ((void*)(udp + 1) > frame.end) return PASSED;
    set_ipv6(ip, found.set->own6, stream);
    check = udp->check, source = udp->source, dest = udp->dest;
    udp->source = stream->out_port;
    udp->dest = stream->to_port;
    offset += sizeof *ip;
  }
  if (check) {
    __u32 to[4];
    __builtin_memcpy(to, stream->to_ip, 16);
    const __s64 change = found.is_ipv6 ? sum_difference(found.from_ip, 16, to, 16, 0)
                                       : sum_difference(found.from_ip, 4, to, 4, 0);
    replace_l4_sum(skb, offset, 0, (__u64)change, flags);
    replace_l4_sum(skb, offset, source, stream->out_port, 2 | BPF_F_MARK_MANGLED_0);
    replace_l4_sum(skb, offset, dest, stream->to_port, 2 | BPF_F_MARK_MANGLED_0);
  }
  return (int)redirect_neigh(stream->next_interface, 0, 0, 0);
}

// What stands on the far end of a pair of virtual interfaces in tests and benchmarks: the system
// hands nothing that XDP sends to one that has no program.
SECTION("xdp") int pass_xdp(struct xdp_md* ctx) { return XDP_PASS; }
SECTION("xdp") int drop_xdp(struct xdp_md* ctx) { return XDP_DROP; }

// Some helpers are for programs under this licence only; the rest of the library is BSD.
char LICENSE[] SECTION("license") = "Dual BSD/GPL";
