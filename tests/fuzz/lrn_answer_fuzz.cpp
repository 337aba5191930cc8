// Answers of LRN servers: a JSON body, or the URI of a Contact. Whatever comes, what is made of it
// is a routing number and a region within their limits, or nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "lrn/number.hpp"
#include "sip/message.hpp"
#include "sip/portability.hpp"

namespace {

using tandem::LrnRecord;

void check(const std::optional<LrnRecord>& record) {
  if (!record) return;
  if (!record->lrn.empty() && !tandem::is_lrn(record->lrn)) std::abort();
  if (record->region.size() > tandem::lrn_region_bytes_max) std::abort();
}

void check_view(std::string_view view, std::string_view whole) {
  if (view.empty()) return;
  if (view.data() < whole.data() || view.data() + view.size() > whole.data() + whole.size())
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  check(tandem::lrn::record_from_json(text, "lrn", "region"));
  check(tandem::lrn::record_from_json(text, "/result/lrn", "/result/0/region"));
  tandem::sip::NameAddress contact;
  std::string_view uri = text;
  if (tandem::sip::parse_name_address(text, contact)) uri = contact.uri;
  const auto found = tandem::sip::portability(uri);
  const auto region = tandem::sip::number_param(uri, "region");
  check_view(found.routing_number, uri);
  check_view(region, uri);
  check(tandem::lrn::make_record(found.routing_number, region));
  return 0;
}
