// Only the media relay: ports for the two sides of a call, symmetric RTP between them.
#include <cstdio>

#include "tandem/media_relay.hpp"

int main() {
  tandem::MediaConfig config;
  config.address = tandem::IpAddress::ipv4(127, 0, 0, 1);
  config.port_first = 44000;
  config.port_last = 44099;
  config.ready_pairs = 8;
  auto relay = tandem::MediaRelay::create(config);
  if (!relay) {
    std::fprintf(stderr, "%s\n", relay.error().message.c_str());
    return 1;
  }
  auto session = relay->open();
  if (!session) return 1;
  using enum tandem::MediaSide;
  std::printf("caller sends to %s, callee to %s\n", session->local_rtp(caller).to_string().c_str(),
              session->local_rtp(callee).to_string().c_str());
  // What the SDP of each side said; from then on packets pass until the session ends.
  const tandem::SocketAddress phone{config.address, 40000}, vendor{config.address, 40010};
  if (!session->set_remote(caller, phone) || !session->set_remote(callee, vendor)) return 1;
  std::printf("%lu packets came from the caller\n",
              static_cast<unsigned long>(session->stats(caller).packets_received));
}
