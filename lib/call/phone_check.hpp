// Asks registered devices between their registrations whether they are there (P-05).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/leg.hpp"
#include "base/timer_wheel.hpp"
#include "io/loop.hpp"
#include "phone/registrar.hpp"

namespace tandem::call {

/// Sends each contact on UDP an OPTIONS in each period in which it has not registered, from the
/// address that it registered at; who leaves two in a row without an answer is off line until the
/// next REGISTER. Those on connections are off line with these. Questions are spread over the
/// period; where more are under way than there is room for, a round takes longer. Threading:
/// loop-bound.
class PhoneCheck {
 public:
  static constexpr std::size_t under_way_max = 10'000;
  static constexpr std::size_t questions_a_turn = 100;

  /// Told who has no contact left.
  using Gone = std::function<void(const phone::ExpiredRegistration&)>;

  /// All outlive it; `legs` belong to the loop.
  PhoneCheck(io::Loop& loop, LegFactory& legs, phone::Registrar& registrar, Gone gone);
  ~PhoneCheck();

  void set_period(std::int64_t period_us);  ///< 0: nobody is asked.

 private:
  class Question;

  void on_timer();
  void ask(const phone::UdpBinding& binding);
  [[nodiscard]] std::int64_t slot_us(std::size_t part) const noexcept;

  io::Loop& loop_;
  LegFactory& legs_;
  phone::Registrar& registrar_;
  const Gone gone_;
  std::int64_t period_us_ = 0;
  std::int64_t round_began_us_ = 0;
  std::vector<phone::UdpBinding> waiting_;  // of the part in work
  std::size_t next_ = 0;                    // in `waiting_`
  std::size_t next_part_ = 0;
  std::unordered_map<std::string, std::unique_ptr<Question>> under_way_;
  Timer timer_;
};

}  // namespace tandem::call
