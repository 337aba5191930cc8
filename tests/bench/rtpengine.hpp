// rtpengine in user space, driven over its ng protocol: the peer that the relay is compared with.
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace tandem::bench {

/// Nanoseconds that the scheduler gave to the threads of the process `pid`; with a `name` only to
/// those called so.
std::int64_t scheduled_ns(pid_t pid, const std::string& name = {});

/// A child process with one worker thread and without its kernel module. Ends with the object.
class Rtpengine {
 public:
  /// Media ports `port_first`..`port_last` at `own_ip`, for calls between ports of `others_ip`, in
  /// the network of this thread, whose end ends it. Null when it is not installed or did not
  /// answer.
  static std::unique_ptr<Rtpengine> start(const std::string& own_ip, const std::string& others_ip,
                                          std::uint16_t port_first, std::uint16_t port_last);
  ~Rtpengine();
  Rtpengine(const Rtpengine&) = delete;
  Rtpengine& operator=(const Rtpengine&) = delete;

  struct Ports {
    std::uint16_t caller = 0, callee = 0;  ///< Where each side has to send to; 0: refused.
  };
  /// A call between two ports of the others.
  Ports open(std::uint16_t caller_port, std::uint16_t callee_port);

  [[nodiscard]] std::int64_t cpu_ns() const { return scheduled_ns(pid_); }

 private:
  Rtpengine(pid_t pid, int control, std::string others_ip)
      : pid_(pid), control_(control), others_ip_(std::move(others_ip)) {}
  /// Sends a command and gives its answer; empty when none came in time.
  std::string ask(const std::string& command, int wait_ms);
  std::uint16_t ask_for_port(const std::string& command);

  pid_t pid_;
  int control_;  // a socket that is connected to the ng port
  const std::string others_ip_;
  unsigned asked_ = 0;
};

}  // namespace tandem::bench
