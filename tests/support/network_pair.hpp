#pragma once
// Two networks of their own with a cable between them, for what loopback cannot show: Ethernet
// frames, programs at interfaces, another machine.
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace tandem::test {

/// Both networks and the cable, as long as it lives. Needs root and iproute2.
///
/// Threading: one thread at a time, the one that made it. That is in the near network from then on,
/// and what it starts there stays there; it goes back when this ends.
class NetworkPair {
 public:
  struct End {
    std::string interface;
    std::vector<std::string> addresses;  ///< "192.0.2.1/24", "2001:db8::1/64".
  };

  NetworkPair(const End& near, const End& far) : outside_(open_own()) {
    if (::geteuid() != 0) {
      why_not_ = "needs root";
    } else if (!run("command -v ip >/dev/null")) {
      why_not_ = "needs ip (iproute2)";
    } else if (::unshare(CLONE_NEWNET) != 0 || (far_ = open_own()) < 0 ||
               ::unshare(CLONE_NEWNET) != 0 || (near_ = open_own()) < 0) {
      why_not_ = "needs network namespaces";
    } else {
      const std::string far_file =
          "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(far_);
      bool is_made =
          run("ip link add " + near.interface + " type veth peer name " + far.interface) &&
          run("ip link set " + far.interface + " netns " + far_file) && set_up(near);
      in_far([&] { is_made = is_made && set_up(far); });
      if (!is_made) why_not_ = "needs virtual interfaces (veth)";
    }
  }
  ~NetworkPair() {
    go_to(outside_);
    for (const int fd : {outside_, near_, far_}) {
      if (fd >= 0) ::close(fd);
    }
  }
  NetworkPair(const NetworkPair&) = delete;
  NetworkPair& operator=(const NetworkPair&) = delete;

  /// Empty: both are there.
  [[nodiscard]] const std::string& why_not() const noexcept { return why_not_; }
  /// Does `act` in the far network: what it opens there stays there.
  template <class Act>
  void in_far(Act&& act) const {
    struct Visit {  // over also when `act` throws
      explicit Visit(const NetworkPair& of) : pair(of) { pair.go_far(); }
      ~Visit() { pair.go_near(); }
      const NetworkPair& pair;
    };
    const Visit visit(*this);
    std::forward<Act>(act)();
  }
  void go_far() const noexcept { go_to(far_); }
  void go_near() const noexcept { go_to(near_); }

  static bool run(const std::string& command) {
    return std::system(("(" + command + ") 2>/dev/null").c_str()) == 0;
  }

 private:
  static int open_own() noexcept {
    return ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  }
  static void go_to(int network) noexcept {
    if (network >= 0 && ::setns(network, CLONE_NEWNET) != 0)
      std::abort();  // all that follows would be elsewhere
  }
  static bool set_up(const End& end) {
    std::string commands = "ip link set lo up";
    for (const std::string& address : end.addresses) {
      const bool is_ipv6 = address.find(':') != std::string::npos;
      commands += std::string(" && ip ") + (is_ipv6 ? "-6 " : "") + "addr add " + address +
                  " dev " + end.interface + (is_ipv6 ? " nodad" : "");
    }
    return run(commands + " && ip link set " + end.interface + " up");
  }

  int outside_ = -1, near_ = -1, far_ = -1;
  std::string why_not_;
};

}  // namespace tandem::test
