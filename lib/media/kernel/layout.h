/* What the program in the kernel and the relay that loads it have in common: the records of the
   maps. C, since the program is. A change of a record changes TANDEM_RELAY_LAYOUT: what a former
   process left is taken over only when it has the same. */
#ifndef TANDEM_MEDIA_KERNEL_LAYOUT_H
#define TANDEM_MEDIA_KERNEL_LAYOUT_H

#include <linux/types.h>

#define TANDEM_RELAY_LAYOUT 1
#define TANDEM_RELAY_INTERFACES_MAX 16

/* Of the map "settings", which has one. Written before the program is attached. */
struct tandem_relay_settings {
  __u32 layout;
  __u32 port_first;   /* the first RTP port, even */
  __u32 pairs;        /* of ports, for each family */
  __u32 has_families; /* 1: IPv4, 2: IPv6 */
  __u32 own4;         /* network order, as all addresses and ports in packets are */
  __u32 own6[4];
  __u32 packet_bytes_max; /* of an IP packet; longer ones go up */
  __u32 interfaces[TANDEM_RELAY_INTERFACES_MAX];
  __u32 reserved;
  /* What is passed on of one direction: a packet a step, so many steps ahead of time. 0: all. */
  __u64 step_ns;
  __u64 ahead_ns;
};

/* Of the map "states", by pair of ports: IPv4 first, then IPv6. 0: every packet goes up to the
   socket. */
#define TANDEM_STREAM_ON 1U
#define TANDEM_STREAM_BANK 2U /* which of its two records in the map "streams" is in force */

/* Of the map "streams", two for each pair of ports. One that is in force is not written by the
   relay but for nothing: it fills the other one and then turns the state, so what runs in the
   kernel at that moment sees the one or the other and no mixture. */
struct tandem_stream {
  /* Written by the relay. */
  __u32 from_ip[4]; /* IPv4 in the first word */
  __u32 to_ip[4];
  __u16 from_port;
  __u16 to_port;
  __u16 out_port; /* of this machine, from which it goes on */
  __u8 family;    /* 4 or 6 */
  __u8 tos;
  __u32 ssrc;          /* network order */
  __u32 base_sequence; /* extended; what comes before it goes up */
  __u32 clock_rate_hz;
  __u32 peer;              /* the pair that is the way back; also where it leaves */
  __u32 session;           /* the side of it that sends, as MediaSide: for who takes it over */
  __u32 packets_elsewhere; /* of the stream, through the sockets; likewise */

  __u64 types[2]; /* payload types that stay in the kernel, a bit each */

  /* Written by the program; first of all by the relay, in the same breath as the rest. */
  __u64 packets;
  __u64 bytes; /* of UDP payload */
  __u64 last_ns;
  __u32 highest_sequence; /* extended (RFC 3550 appendix A.1) */
  __u32 jitter_q4;        /* RFC 3550 appendix A.8, times 16 */
  __u32 transit;
  __u32 timestamp;
  __u32 policed;
  __u32 passed_up; /* fitted, but there was no next hop */

  __u64 due_ns;        /* when the next packet is, if they come at the highest rate */
  __u64 next_until_ns; /* so long the next hop is believed */
  __u32 next_interface;
  __u8 next_to[6];
  __u8 next_from[6];
  __u32 seen_interface; /* how packets of the source came in */
  __u8 seen_from[6];
  __u8 seen_to[6];
  __u64 reserved2[2];
};

#endif
