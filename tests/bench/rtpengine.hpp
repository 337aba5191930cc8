// rtpengine in user space, driven over its ng protocol: the peer that the relay is compared with.
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

namespace tandem::bench {

/// Nanoseconds that the scheduler gave to the threads of the process `pid`; with a `name` only to
/// those called so.
std::int64_t scheduled_ns(pid_t pid, const std::string& name = {});

/// A child process with one worker thread and without its kernel module. Ends with the object.
class Rtpengine {
 public:
  /// Media ports `port_first`..`port_last` on 127.0.0.1. Null when it is not installed or did not
  /// answer. Must be called before this process has threads.
  static std::unique_ptr<Rtpengine> start(std::uint16_t port_first, std::uint16_t port_last);
  ~Rtpengine();
  Rtpengine(const Rtpengine&) = delete;
  Rtpengine& operator=(const Rtpengine&) = delete;

  struct Ports {
    std::uint16_t caller = 0, callee = 0;  ///< Where each side has to send to; 0: refused.
  };
  /// A call between two loopback ports.
  Ports open(std::uint16_t caller_port, std::uint16_t callee_port);

  [[nodiscard]] std::int64_t cpu_ns() const { return scheduled_ns(pid_); }

 private:
  Rtpengine(pid_t pid, int control) : pid_(pid), control_(control) {}
  /// Sends a command and gives its answer; empty when none came in time.
  std::string ask(const std::string& command, int wait_ms);
  std::uint16_t ask_for_port(const std::string& command);

  pid_t pid_;
  int control_;  // a socket that is connected to the ng port
  unsigned asked_ = 0;
};

}  // namespace tandem::bench
