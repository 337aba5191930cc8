// A caller that stands in a call of another one: its own leg, and the way to that call.
#pragma once

#include <cstdint>
#include <memory>

#include "base/leg.hpp"
#include "call/tables.hpp"
#include "route/lines.hpp"

namespace tandem::call {

class Worker;

/// Tells each of two legs what the other one does. Until the far one has answered the near one
/// belongs to the call that it arrived as, which hears of a refusal and gives it up at the answer.
/// Judges, bills and records nothing: the call at the far end does.
///
/// Threading: loop-bound. Ownership: belongs to its worker, which it asks to be forgotten by.
class LegRelay final : public LegEvents {
 public:
  /// `asker`: id of the call that the near leg arrived as.
  LegRelay(Worker& worker, std::uint64_t asker) noexcept : worker_(worker), asker_(asker) {}

  /// The way to the far call, and what the caller holds for as long as it is in it.
  void begin(std::unique_ptr<Leg> far, route::LineLease line,
             std::shared_ptr<const Tables> tables) noexcept;
  void give_up();  ///< The caller did not wait.

  void on_progress(Leg&, const Progress&) override {}
  void on_answer(Leg& leg, const Answer& answer) override;
  void on_failure(Leg& leg, const Failure& failure) override;
  void on_cancel(Leg& leg, const Release& release) override { on_release(leg, release); }
  void on_confirmed(Leg& leg, const SessionBody& body) override;
  void on_release(Leg& leg, const Release& release) override;
  void on_reoffer(Leg& leg, const Reoffer& reoffer) override;
  void on_reoffer_result(Leg& leg, int status, const SessionBody& body) override;
  void on_request(Leg& leg, const DialogRequest& request) override;
  void on_request_result(Leg& leg, int status, const SessionBody& body) override;

 private:
  [[nodiscard]] Leg* other(const Leg& leg) noexcept {
    return &leg == far_.get() ? near_.get() : far_.get();
  }

  Worker& worker_;
  const std::uint64_t asker_;
  std::unique_ptr<Leg> far_, near_;
  std::shared_ptr<const Tables> tables_;
  route::LineLease line_;
  Leg* reoffer_from_ = nullptr;   // waits for the answer of the other leg to its change
  bool is_offer_wanted_ = false;  // ... which has no offer itself
  Leg* ack_to_ = nullptr;         // waits for what the next ACK of the other one brings
};

}  // namespace tandem::call
