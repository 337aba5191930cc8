#include "sip/overload.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace tandem::sip {
namespace {

constexpr unsigned loss_max = 99;  // something must come through, or nobody learns of the end
constexpr unsigned step = 5;       // that the peers may send more at a time
constexpr std::int64_t validity_default_us = 500'000;  // RFC 7339 section 4.3
constexpr std::int64_t validity_max_us = 3'600'000'000;

/// From the first ';' on.
std::string_view parameters_of(const Via& via) noexcept {
  const std::size_t semicolon = via.value.find(';');
  return semicolon == std::string_view::npos ? std::string_view() : via.value.substr(semicolon);
}

bool names_loss(std::string_view algorithms) noexcept {
  while (!algorithms.empty()) {
    std::string_view one = next_element(algorithms);
    while (!one.empty() && one.front() == ' ')
      one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ')
      one.remove_suffix(1);
    if (equals_ignoring_case(one, "loss")) return true;
  }
  return false;
}

}  // namespace

bool takes_overload_feedback(const Via& via) noexcept {
  const std::string_view parameters = parameters_of(via);
  bool has_offer = false;
  const std::string_view value = find_param(parameters, "oc", &has_offer);
  return has_offer && value.empty() && names_loss(find_param(parameters, "oc-algo"));
}

std::optional<OverloadFeedback> overload_feedback(const Via& via) noexcept {
  const std::string_view parameters = parameters_of(via);
  const std::string_view value = find_param(parameters, "oc");
  if (value.empty()) return std::nullopt;
  const auto loss = parse_integer<unsigned>(value);
  if (!loss || *loss > 100 || !names_loss(find_param(parameters, "oc-algo"))) return std::nullopt;
  OverloadFeedback feedback;
  feedback.loss_percent = *loss;
  feedback.validity_us = validity_default_us;
  if (const std::string_view text = find_param(parameters, "oc-validity"); !text.empty()) {
    const auto ms = parse_integer<std::uint32_t>(text);
    if (!ms) return std::nullopt;
    feedback.validity_us = std::min(std::int64_t{*ms} * 1'000, validity_max_us);
  }
  const std::string_view sequence = find_param(parameters, "oc-seq");
  const std::size_t point = sequence.find('.');
  const auto whole = parse_integer<std::uint32_t>(sequence.substr(0, point));
  std::uint32_t part = 0;
  if (point != std::string_view::npos) {
    // As many digits as it likes; five of them part one response from the next.
    std::string_view digits = sequence.substr(point + 1).substr(0, 5);
    part = parse_integer<std::uint32_t>(digits).value_or(0);
    for (std::size_t i = digits.size(); i < 5; ++i)
      part *= 10;
  }
  if (whole) feedback.sequence = std::uint64_t{*whole} * 100'000 + part;
  return feedback;
}

std::string overload_parameters(unsigned loss_percent, std::int64_t wall_us) {
  const std::int64_t ms = std::max<std::int64_t>(wall_us, 0) / 1'000;
  std::string fraction = std::to_string(ms % 1'000);
  fraction.insert(0, 3 - fraction.size(), '0');
  return ";oc=" + std::to_string(loss_percent) + ";oc-algo=\"loss\";oc-validity=" +
         std::to_string(loss_percent == 0 ? 0 : OverloadMeter::validity_us / 1'000) +
         ";oc-seq=" + std::to_string(ms / 1'000) + "." + fraction;
}

void OverloadMeter::note_taken(bool has_waited, std::int64_t now_us) noexcept {
  close_period(now_us);
  ++taken_;
  has_waited_ |= has_waited;
}

void OverloadMeter::note_shed(std::int64_t now_us) noexcept {
  close_period(now_us);
  ++shed_;
}

unsigned OverloadMeter::loss_percent(std::int64_t now_us) noexcept {
  close_period(now_us);
  return loss_percent_;
}

void OverloadMeter::close_period(std::int64_t now_us) noexcept {
  if (now_us - began_us_ < period_us) return;
  const std::int64_t periods = (now_us - began_us_) / period_us;
  began_us_ = now_us;
  if (shed_ > 0) {
    // Of what came through in spite of the loss there was still this share too much.
    const std::uint64_t all = std::uint64_t{taken_} + shed_;
    const std::uint64_t passed = (100 - loss_percent_) * std::uint64_t{taken_} / all;
    loss_percent_ = std::min(loss_max, static_cast<unsigned>(100 - passed));
  } else if (has_waited_) {
    loss_percent_ -= std::min(loss_percent_, step);
  } else {
    for (std::int64_t i = 0; i < std::min<std::int64_t>(periods, 8); ++i)
      loss_percent_ /= 2;
  }
  taken_ = shed_ = 0;
  has_waited_ = false;
}

void RefusedCalls::note(std::uint64_t key, std::int64_t now_us) {
  if (slots_.empty()) slots_.resize(slots_max);
  slots_[key % slots_max] = {key, now_us};
  last_us_ = now_us;
}

bool RefusedCalls::has(std::uint64_t key, std::int64_t now_us) const noexcept {
  if (!are_any(now_us)) return false;
  const Slot& slot = slots_[key % slots_max];
  return slot.key == key && now_us - slot.at_us < kept_us;
}

}  // namespace tandem::sip
