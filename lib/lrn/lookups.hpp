// The look-ups of one call worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/leg.hpp"
#include "base/timer_wheel.hpp"
#include "io/loop.hpp"
#include "lrn/resolver.hpp"
#include "lrn/resolver_state.hpp"
#include "tandem/clock.hpp"
#include "tandem/log.hpp"

namespace tandem::lrn {

/// Who waits for a number. What it stands for is the caller's: a call and a side of it.
using Waiter = std::uint64_t;

class LookupEvents {
 public:
  virtual ~LookupEvents() = default;
  /// The number was looked up; nothing: it could not be. May ask again.
  virtual void on_lookup(Waiter waiter, const std::optional<LrnRecord>& record) = 0;
};

/// Puts one question for equal numbers, gives each attempt its time, repeats what nobody answered,
/// and keeps the answers. Every look-up ends within timeout_ms * (1 + retries), whatever the
/// servers do.
///
/// A waiter that goes away need not say so: the question goes on, because its answer is paid for
/// and worth keeping.
///
/// Threading: loop-bound. Ownership: one for each call worker.
class Lookups final {
 public:
  /// Puts a question to the host; false when it has no hook or is too slow. On the loop.
  using AskHost = std::function<bool(LrnQuestion)>;

  /// `first_id`: ids of look-ups count up from it, so that the token of a host's answer names its
  /// worker. All references outlive this object. set_legs() comes before the first question of a
  /// resolver of kind sip302.
  Lookups(io::Loop& loop, Random& random, Log& log, std::uint64_t first_id, AskHost ask_host,
          LookupEvents& events);
  ~Lookups();
  Lookups(const Lookups&) = delete;
  Lookups& operator=(const Lookups&) = delete;

  void set_legs(LegFactory& legs) noexcept { legs_ = &legs; }

  /// Asks what the cache does not know; on_lookup() follows, never from inside this call. False:
  /// `queries_max` numbers are under way, or as many calls wait for this one: counted, and no event
  /// follows.
  [[nodiscard]] bool ask(const std::shared_ptr<ResolverState>& resolver, std::string_view number,
                         Waiter waiter);
  /// The host's answer; late and unknown tokens are ignored.
  void answer(std::uint64_t token, const LrnAnswer& answer);
  /// Lets go of the resolvers that are not among these as soon as nothing is under way with them.
  void keep_only(const std::vector<std::shared_ptr<ResolverState>>& resolvers);

  /// How many calls may wait for one number.
  static constexpr std::size_t waiters_max = 10'000;

 private:
  class Desk;
  struct Lookup;

  Desk& desk_of(const std::shared_ptr<ResolverState>& resolver);
  void drop_idle();

  io::Loop& loop_;
  Random& random_;
  Log& log_;
  const AskHost ask_host_;
  LookupEvents& events_;
  LegFactory* legs_ = nullptr;
  std::uint64_t next_id_;
  std::unordered_map<std::uint64_t, Desk*> desk_of_id_;  // of the look-ups that are under way
  std::unordered_map<const ResolverState*, std::unique_ptr<Desk>> desks_;
  std::shared_ptr<bool> is_alive_ =
      std::make_shared<bool>(true);  // deferred tasks may come after us
};

}  // namespace tandem::lrn
