// Overload control between neighbours (RFC 7339, loss-based): what a Via says of it, and how much
// of the load a worker asks its peers to keep back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/leg.hpp"
#include "sip/message.hpp"

namespace tandem::sip {

/// What a request of ours says to a peer that may tell of its load (RFC 7339 section 4.1, 4.2).
inline constexpr std::string_view overload_offer = ";oc;oc-algo=\"loss\"";

/// The sender of a request reads what it is told of our load: its Via names the loss algorithm.
[[nodiscard]] bool takes_overload_feedback(const Via& via) noexcept;

/// What the Via of a response to our request says; nothing when it says nothing, or what cannot be
/// believed: a value above 100, another algorithm.
[[nodiscard]] std::optional<OverloadFeedback> overload_feedback(const Via& via) noexcept;

/// Parameters of the Via of a response. `wall_us` makes the sequence, which only grows.
[[nodiscard]] std::string overload_parameters(unsigned loss_percent, std::int64_t wall_us);

/// How much of the load that comes is too much, from what was taken and what was not. Looked at
/// twice a second: what is still too much adds to what the peers keep back; when nothing is, they
/// may send a little more, and soon everything once nothing even has to wait.
///
/// Threading: one thread at a time.
class OverloadMeter {
 public:
  static constexpr std::int64_t period_us = 500'000;
  /// How long peers keep to a value; longer than a period, so that it does not lapse between two.
  static constexpr std::int64_t validity_us = 1'500'000;

  void note_taken(bool has_waited, std::int64_t now_us) noexcept;
  void note_shed(std::int64_t now_us) noexcept;
  /// 0..99 of a hundred new calls.
  [[nodiscard]] unsigned loss_percent(std::int64_t now_us) noexcept;

 private:
  void close_period(std::int64_t now_us) noexcept;

  std::int64_t began_us_ = 0;
  std::uint32_t taken_ = 0, shed_ = 0;
  bool has_waited_ = false;
  unsigned loss_percent_ = 0;
};

/// New calls that were refused without a transaction. A repetition that was on its way by then is
/// no call that may be taken: its caller has given it up, and nobody would acknowledge the answer.
///
/// Threading: one thread at a time.
class RefusedCalls {
 public:
  static constexpr std::int64_t kept_us = 32'000'000;  // 64 T1, as a transaction would (timer H)

  /// `key`: a hash of the message, which repetitions have in common.
  void note(std::uint64_t key, std::int64_t now_us);
  /// There may be such repetitions at all. Costs nothing.
  [[nodiscard]] bool are_any(std::int64_t now_us) const noexcept {
    return now_us - last_us_ < kept_us && !slots_.empty();
  }
  [[nodiscard]] bool has(std::uint64_t key, std::int64_t now_us) const noexcept;

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::int64_t at_us = -kept_us;
  };
  // A later one takes the place of an earlier one: more than a second of refusals, however many.
  static constexpr std::size_t slots_max = 65'536;
  std::vector<Slot> slots_;  // none before the first refusal
  std::int64_t last_us_ = 0;
};

}  // namespace tandem::sip
