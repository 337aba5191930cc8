// A partner's list of calls (B-27): no input may crash, errors say something, and what was read can
// be compared with itself without a difference.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tandem/reconciliation.hpp"

namespace {

constexpr std::size_t compared_max = 2'000;  // more calls show nothing new

void check_error(const tandem::Error& error) {
  if (error.message.empty()) std::abort();
  if (error.message.find_first_of("\r\n") != std::string::npos) std::abort();  // it goes into a log
}

void check_list(std::string_view csv, const tandem::PartnerLayout& layout) {
  auto calls = tandem::read_partner_calls(csv, layout);
  if (!calls) return check_error(calls.error());
  for (const tandem::InterconnectCall& call : *calls) {
    if (call.billed_time_s < 0) std::abort();
  }
  if (calls->size() > compared_max) return;
  tandem::ReconcileRules rules;
  rules.compares_callers = !layout.caller.empty();
  rules.compares_charges = !layout.charge.empty();
  const auto report = tandem::reconcile(*calls, *calls, rules);
  if (!report) return check_error(report.error());
  if (report->matched != calls->size() || report->is_exceeded) std::abort();
}

}  // namespace

/// Behind the first line end stands the list; before it, the layout it is read by besides the usual
/// ones.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const std::size_t line = text.find('\n');
  const std::string_view csv = line == std::string_view::npos ? text : text.substr(line + 1);
  check_list(csv, {});
  tandem::PartnerLayout whole;
  whole.caller = "caller";
  whole.charge = "charge";
  whole.timezone = "Europe/Berlin";
  check_list(csv, whole);
  const auto layout = tandem::parse_partner_layout(text.substr(0, line));
  if (!layout) {
    check_error(layout.error());
  } else {
    check_list(csv, *layout);
  }
  return 0;
}
