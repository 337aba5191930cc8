#include "call/farewell.hpp"

#include "call/transfer.hpp"
#include "call/worker.hpp"

namespace tandem::call {

namespace {
constexpr int normal_clearing = 16;  // ITU-T Q.850
}  // namespace

Farewell::Farewell(Worker& worker, std::unique_ptr<Leg> leg, std::uint32_t results)
    : worker_(worker),
      leg_(std::move(leg)),
      results_(results),
      timer_(Timer::member<&Farewell::end, Farewell>(), this) {
  leg_->set_events(*this);
  worker_.loop().timers().start(timer_, results_ == 0 ? 0 : farewell_us);
}

void Farewell::on_request_result(Leg&, int, const SessionBody&) {
  if (results_ == 0 || --results_ > 0) return;
  end();
}

void Farewell::end() {
  timer_.cancel();
  leg_->release(normal_clearing);
  worker_.forget(*this);
}

}  // namespace tandem::call
