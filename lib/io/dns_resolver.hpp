// What name servers say, kept for as long as it is good.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/timer_wheel.hpp"
#include "io/dns_client.hpp"
#include "io/dns_message.hpp"
#include "io/loop.hpp"
#include "tandem/clock.hpp"

namespace tandem::io {

struct DnsResolverConfig {
  std::vector<SocketAddress> servers;   ///< 1..8, in the order of preference.
  std::int64_t timeout_us = 1'000'000;  ///< Of one question to one server.
  int rounds = 2;                       ///< How often each server is asked before it is given up.
  std::int64_t ttl_min_us = 5'000'000;  ///< What a record says below it counts as this.
  std::int64_t ttl_max_us = 3'600'000'000;         ///< And above it as this.
  std::int64_t negative_ttl_max_us = 300'000'000;  ///< That there is nothing (RFC 2308).
  std::int64_t stale_us = 86'400'000'000;  ///< How long answers serve beyond their TTL (RFC 8767).
  std::size_t entries_max = 4'096;         ///< Questions that are remembered.
};

struct DnsResolverCounters {
  std::uint64_t questions = 0;  ///< Sent, to whichever server.
  std::uint64_t answers = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t failures = 0;  ///< Look-ups that no server answered.
  std::uint64_t strays = 0;    ///< Datagrams that answered nothing that was asked: forgeries.
  std::uint64_t truncated = 0;
};

/// What is known of one question.
struct DnsEntry {
  enum class State : std::uint8_t {
    pending,  ///< Nothing is known yet.
    found,    ///< `data` is what there is.
    absent,   ///< There is nothing: no such name, or no record of the type.
    failed,   ///< No server could say, and nothing older is left.
  };
  State state = State::pending;
  /// Of the type that was asked for, in the order of the answer; with a cap.
  std::vector<std::variant<IpAddress, dns::Alias, dns::Service, dns::NamingAuthority>> data;
  std::int64_t asked_us = 0;    ///< Monotonic: when what is here was answered.
  std::int64_t expires_us = 0;  ///< When its TTL is over; of `failed`: when it is asked again.
  std::int64_t due_us = 0;      ///< From when on find() asks again.
  std::string error;            ///< Why the last look-up failed; "": it did not.

  /// Its TTL is over, and the servers did not answer since.
  [[nodiscard]] bool is_stale(std::int64_t now_us) const noexcept {
    return state != State::failed && state != State::pending && now_us >= expires_us;
  }
  static constexpr std::size_t data_max = 32;
};

/// Names a question; those that differ in the case of letters are one.
[[nodiscard]] std::string question_key(std::string_view name, dns::RecordType type);

/// Asks the servers in turn, each question from a port and with an id of its own (RFC 5452); keeps
/// what they answer between its clamps; asks again at four fifths of the TTL of what is in use; and
/// goes on with what it has for a bounded time when no server answers. Aliases are followed, at
/// most 8. At most 64 questions are under way; more wait.
///
/// Threading: loop-bound.
class DnsResolver {
 public:
  static constexpr std::size_t under_way_max = 64;
  /// What became of these questions, by question_key(), may be read with find() now. May not
  /// destroy the resolver.
  using Changed = std::function<void(const std::vector<std::string>& questions)>;

  /// `loop` and `random` outlive it. `changed` is called from handlers and timers, never from
  /// within find().
  DnsResolver(Loop& loop, Random& random, DnsResolverConfig config, Changed changed);
  ~DnsResolver();
  DnsResolver(const DnsResolver&) = delete;
  DnsResolver& operator=(const DnsResolver&) = delete;

  /// What is known, asked for if need be: a question that was not asked before, or whose answer
  /// grows old, goes out. Never null; lives until the next call of any method but find(). When no
  /// room is left, of state `failed`.
  const DnsEntry& find(std::string_view name, dns::RecordType type);

  /// Forgets what was not asked for since `since_us` (monotonic).
  void forget_unused(std::int64_t since_us);
  [[nodiscard]] std::size_t entries() const noexcept { return entries_.size(); }
  [[nodiscard]] const DnsResolverCounters& counters() const noexcept { return counters_; }

 private:
  struct Known;
  class Lookup;
  void refresh(Known& known);
  void start_waiting();
  void settle(Lookup& lookup);
  void retire(std::unique_ptr<DnsClient> client);

  Loop& loop_;
  Random& random_;
  const DnsResolverConfig config_;
  const Changed changed_;
  std::unordered_map<std::string, std::unique_ptr<Known>> entries_;  // by name and type
  std::vector<std::string> waiting_;  // keys whose turn has not come; at most entries_max
  std::size_t under_way_ = 0;
  std::size_t server_ = 0;  // that answered last
  const DnsEntry no_room_, no_name_;
  DnsResolverCounters counters_;
  std::vector<std::unique_ptr<DnsClient>> retired_clients_;  // until the end of the turn
  std::vector<std::unique_ptr<Lookup>> retired_;             // likewise
  std::vector<std::string> settled_;                         // what they asked
  std::shared_ptr<bool> is_alive_ =
      std::make_shared<bool>(true);  // deferred tasks may come after us
};

}  // namespace tandem::io
