// A batched SIP load generator: callers and called parties in one thread, over two UDP sockets.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"

namespace tandem::load {

/// What the called party does with a call.
struct Behaviour {
  enum class Kind : std::uint8_t {
    answer,     ///< 180, then 200 after the ringing time.
    no_answer,  ///< 180 and nothing more; the caller gives up.
    reject,     ///< `status` after the ringing time.
    silent,     ///< No response at all.
  };
  Kind kind = Kind::answer;
  int status = 200;
  std::uint32_t weight = 1;
};

/// Reads "answer:90,busy:5,noanswer:3,reject503:2,silent:1". Errors: invalid_argument.
Result<std::vector<Behaviour>> read_behaviours(std::string_view text);

enum class Hangup : std::uint8_t { caller, callee, alternate };

struct Options {
  sockaddr_in target{};  ///< Whom the callers send to.
  sockaddr_in from{};    ///< Callers' socket; port 0: a free one.
  sockaddr_in uas{};     ///< Called parties' socket.
  double calls_per_s = 10;
  std::uint64_t calls = 0;  ///< 0: as many as `seconds` bring.
  double seconds = 0;       ///< 0: until `calls` are started.
  std::int64_t hold_us = 0;
  std::int64_t ring_us = 0;
  std::int64_t patience_us = 3'000'000;  ///< A caller cancels when nothing final came by then.
  std::int64_t t1_us = 500'000;          ///< RFC 3261 section 17.1.1.1.
  std::int64_t invite_timeout_us = 0;    ///< 0: 64 T1.
  Hangup hangup = Hangup::caller;
  bool with_rtp = false;
  std::int64_t ptime_ms = 20;  ///< 10..100: audio in one RTP packet.
  /// Each '#' becomes a digit of the call's ordinal number.
  std::string callee = "442079460000";
  std::string caller = "12025550100";
  std::vector<Behaviour> behaviours{Behaviour{}};
  std::uint64_t seed = 1;
  std::size_t live_max = 100'000;  ///< No call is started beyond it.
  std::string answered_log;        ///< Path; a line for each 2xx the callers got. "": none.
  bool shows_progress = false;     ///< A line each second on stderr.
};

/// Times in us, at a resolution of 1/16 of their value.
class Histogram {
 public:
  Histogram();
  void add(std::int64_t us);
  /// Upper end of the bucket that holds the share `of` (0..1); 0 when empty.
  [[nodiscard]] std::int64_t percentile(double of) const;
  [[nodiscard]] std::int64_t max() const { return max_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::int64_t max_ = 0;
};

struct Report {
  std::uint64_t started = 0;
  std::uint64_t answered = 0;                   ///< 2xx that callers got.
  std::uint64_t completed = 0;                  ///< Answered and ended by a BYE with its 2xx.
  std::uint64_t expected = 0;                   ///< Ended as the called party was told to end them.
  std::map<std::string, std::uint64_t> failed;  ///< By cause; what is neither of the above.
  std::map<std::string, std::uint64_t> callee;  ///< What the called parties did, by name.
  std::uint64_t callee_calls = 0;
  std::uint64_t retransmissions = 0;  ///< Sent by this side.
  std::uint64_t repeated = 0;         ///< Requests and 2xx received again.
  std::uint64_t unparsed = 0;
  std::uint64_t rtp_sent = 0, rtp_received = 0, rtp_lost = 0;
  std::uint64_t rtp_misdelivered = 0;  ///< Came from a relay port that serves another call.
  std::int64_t rtp_paused_us = 0;      ///< Without the processor for so long that RTP was left out.
  std::uint64_t live_max = 0;
  Histogram setup;                      ///< INVITE to 2xx, without the ringing time.
  Histogram release;                    ///< BYE to its 2xx.
  double wall_s = 0, start_wall_s = 0;  ///< In all; until the last call was started.
  double cpu_s = 0;

  [[nodiscard]] std::uint64_t failures() const;
  [[nodiscard]] std::string to_json() const;
};

/// Threading: one thread at a time.
class Generator {
 public:
  /// Opens the sockets. Errors: io (names the address), invalid_argument.
  static Result<Generator> open(Options options);
  ~Generator();
  Generator(Generator&&) noexcept;

  [[nodiscard]] sockaddr_in caller_address() const;
  [[nodiscard]] sockaddr_in callee_address() const;
  /// Makes the calls and returns when all of them are over.
  Report run();
  /// Ends a run() early, from another thread or a signal handler: no further calls, no waiting.
  void interrupt() noexcept;

 private:
  struct Body;
  explicit Generator(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace tandem::load
