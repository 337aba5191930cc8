// The last of a leg that has left its call: what it was told is acknowledged, then it is hung up.
#pragma once

#include <memory>

#include "base/leg.hpp"
#include "base/timer_wheel.hpp"

namespace tandem::call {

class Worker;

/// Threading: loop-bound. Ownership: belongs to its worker, which it asks to be forgotten by.
class Farewell final : public LegEvents {
 public:
  /// `results`: requests of ours that the peer has not answered.
  Farewell(Worker& worker, std::unique_ptr<Leg> leg, std::uint32_t results);

  void on_progress(Leg&, const Progress&) override {}
  void on_answer(Leg&, const Answer&) override {}
  void on_failure(Leg&, const Failure&) override {}
  void on_cancel(Leg&, const Release&) override {}
  void on_confirmed(Leg&, const SessionBody&) override {}
  void on_release(Leg&, const Release&) override { end(); }
  void on_reoffer(Leg& leg, const Reoffer&) override { leg.answer_reoffer(488, {}); }
  void on_reoffer_result(Leg& leg, int, const SessionBody&) override { leg.acknowledge({}); }
  void on_request(Leg& leg, const DialogRequest&) override { leg.answer_request(481, {}); }
  void on_request_result(Leg&, int, const SessionBody&) override;

 private:
  void end();

  Worker& worker_;
  std::unique_ptr<Leg> leg_;
  std::uint32_t results_;
  Timer timer_;
};

}  // namespace tandem::call
