// The relay's network and that of phone and carrier, and the ways a packet may take between them.
#pragma once

#include <doctest/doctest.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cstring>
#include <memory>
#include <string>

#include "media/backend.hpp"
#include "media/fast/fast.hpp"
#include "media/kernel/bpf.hpp"
#include "media/unique_fd.hpp"
#include "support/bpf_folder.hpp"
#include "support/network_pair.hpp"
#include "tandem/media_relay.hpp"
#include "unit/media/endpoint.hpp"

namespace tandem::media {

// The thread that makes it is in the network of the relay, 192.0.2.1 and 2001:db8::1; phone and
// carrier have other addresses of these networks.
class Networks {
 public:
  Networks()
      : pair_(near(), {"tp0",
                       {"192.0.2.7/24", "192.0.2.9/24", "192.0.2.66/24", "2001:db8::7/64",
                        "2001:db8::9/64", "2001:db8::66/64"}}) {
    if (!pair_.why_not().empty()) return;
    test::have_bpf_file_system();
    in_far([this] {
      // XDP sees a packet as it lies in memory, where a virtual interface leaves its checksum out.
      ifreq ask{};
      ethtool_value off{ETHTOOL_STXCSUM, 0};
      std::strcpy(ask.ifr_name, "tp0");
      ask.ifr_data = reinterpret_cast<char*>(&off);
      const UniqueFd asker(::socket(AF_INET, SOCK_DGRAM, 0));
      REQUIRE(::ioctl(asker.get(), SIOCETHTOOL, &ask) == 0);
      // What XDP sends back by a virtual interface is heard only where the far end has XDP too.
      auto pass = bpf::load("pass_xdp", bpf::Hook::xdp_native, {});
      if (!pass) return;
      auto link = bpf::attach(pass->get(), ::if_nametoindex("tp0"), bpf::Hook::xdp_native);
      if (link) far_program_ = std::move(*link);
    });
  }
  Networks(const Networks&) = delete;
  Networks& operator=(const Networks&) = delete;

  template <class Act>
  void in_far(Act&& act) const {
    pair_.in_far(std::forward<Act>(act));
  }
  [[nodiscard]] std::unique_ptr<Endpoint> endpoint(const std::string& ip,
                                                   std::uint16_t port = 0) const {
    std::unique_ptr<Endpoint> made;
    in_far([&] { made = std::make_unique<Endpoint>(ip.c_str(), port); });
    return made;
  }
  [[nodiscard]] bool is_here() const {
    if (pair_.why_not().empty()) return true;
    MESSAGE("not run: " << pair_.why_not());
    return false;
  }

 private:
  static test::NetworkPair::End near() { return {"tr0", {"192.0.2.1/24", "2001:db8::1/64"}}; }
  test::NetworkPair pair_;
  UniqueFd far_program_;
};

inline std::string folder() { return "/sys/fs/bpf/tandem-test-" + std::to_string(::getpid()); }

struct Way {
  const char* name;
  MediaBackend backend;
  MediaAttach attach;
};
constexpr Way ways[] = {
    {"portable", MediaBackend::portable, MediaAttach::automatic},
    {"tc", MediaBackend::kernel, MediaAttach::tc},
    {"xdp generic", MediaBackend::kernel, MediaAttach::xdp_generic},
    {"xdp native", MediaBackend::kernel, MediaAttach::xdp_native},
};

inline MediaConfig config_of(const Way& way) {
  MediaConfig config;
  config.address = IpAddress::ipv4(192, 0, 2, 1);
  config.address6 = *IpAddress::parse("2001:db8::1");
  config.port_first = 30000;
  config.port_last = 30063;
  config.ready_pairs = 4;
  config.nice = 0;
  config.rest_ms = 0;
  config.tos = 0xB8;
  config.events_max = 64;
  config.backend = way.backend;
  config.kernel.attach = way.attach;
  config.kernel.interfaces = {"tr0"};
  config.kernel.folder = folder();
  config.kernel.packets_per_s_max = 0;  // both sides send as fast as they are answered
  return config;
}

}  // namespace tandem::media
