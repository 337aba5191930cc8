// Answers of LRN servers: a JSON body, the URI of a Contact, or a NAPTR record. Whatever comes,
// what is made of it is a routing number and a region within their limits, or nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "lrn/enum_resolver.hpp"
#include "lrn/naptr_rule.hpp"
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
  int steps_left = tandem::lrn::naptr_steps_max;
  const auto made = tandem::lrn::apply_naptr_rule(text, "+12125550123", steps_left);
  if (steps_left < 0) std::abort();
  if (made && made->size() > tandem::lrn::naptr_result_bytes_max) std::abort();
  tandem::io::dns::Response response;
  response.question = {"3.2.1.0.5.5.5.2.1.2.1.e164.arpa", tandem::io::dns::RecordType::naptr};
  for (const std::string_view regexp : {text, std::string_view("!^(.*)$!tel:\\1;npdi!")}) {
    response.records.push_back({response.question.name, 0,
                                tandem::io::dns::NamingAuthority{
                                    1, 1, "u", regexp == text ? "E2U+pstn:tel" : std::string(text),
                                    std::string(regexp), ""}});
    response.answers = response.records.size();
  }
  check(tandem::lrn::record_from_naptr(response, "e164.arpa", "region"));
  // Served as a message, too.
  if (const auto message = tandem::io::dns::decode_response(text))
    check(tandem::lrn::record_from_naptr(*message, "e164.arpa", "region"));
  return 0;
}
