// What changes or adds calls of the past, as JSON from outside (B-25..B-27): no input may crash,
// what is refused is refused with words, and what is taken is in its range.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "admin/request_bodies.hpp"
#include "tandem/corrections.hpp"
#include "tandem/external_calls.hpp"
#include "tandem/reconciliation.hpp"

namespace {

void check_error(const tandem::Error& error) {
  if (error.message.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tandem;
  const std::string_view json(reinterpret_cast<const char*>(bytes), size);
  for (const std::uint64_t record_id : {std::uint64_t{0}, std::uint64_t{7}}) {
    const auto correction = parse_correction(json, record_id);
    if (!correction) {
      check_error(correction.error());
    } else if (correction->record_id == 0 || !check_correction(*correction).ok()) {
      std::abort();
    }
  }
  if (const auto call = parse_external_call(json); !call) {
    check_error(call.error());
  } else if (!check_external_call(*call).ok()) {
    std::abort();
  }
  RerateApplication application;
  admin::Complaint complaint;
  if (!admin::read_rerate_application(json, application, complaint) && complaint.message.empty())
    std::abort();
  if (const auto totals = parse_interconnect_totals(json); !totals) {
    check_error(totals.error());
  } else if (!(parse_interconnect_totals(to_json(*totals)).value() == *totals)) {
    std::abort();
  } else {
    // What a partner sent goes into alarms, which are one line.
    InterconnectTotals ours = *totals;
    ours.currency = "USD";
    const PeerCheck check = compare_totals({"v1", true, 0, 1}, ours, *totals, 100);
    if (check.failure.find_first_of("\r\n") != std::string::npos) std::abort();
  }
  return 0;
}
