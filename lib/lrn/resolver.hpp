// How one kind of server is asked.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tandem/lrn.hpp"

namespace tandem::lrn {

/// What became of one attempt.
enum class AttemptEnd : std::uint8_t {
  answered,     ///< There is a record.
  refused,      ///< The server knows nothing of the number, or says what nobody can use.
  unreachable,  ///< No server answered; another one may.
};

/// Hears of attempts. May call ask() and forget(), but not destroy the resolver.
class ResolverEvents {
 public:
  virtual ~ResolverEvents() = default;
  /// `record`: only with `answered`. `reason`: for the log, one line.
  virtual void on_attempt_end(std::uint64_t id, AttemptEnd end,
                              const std::optional<LrnRecord>& record, std::string_view reason) = 0;
};

/// Threading: loop-bound.
class Resolver {
 public:
  virtual ~Resolver() = default;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// `id`: of no other attempt that is under way. `attempt` counts from 0 for each number. False:
  /// it cannot be asked now, and no event will come. No event comes before this returns.
  [[nodiscard]] virtual bool ask(std::uint64_t id, std::string_view number, unsigned attempt) = 0;
  /// No event will come any more.
  virtual void forget(std::uint64_t id) = 0;

 protected:
  Resolver() = default;
};

}  // namespace tandem::lrn
