// Any bytes as the texts of a record's columns, which a day file may have from anywhere: what is
// read is what was written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "cdr/call_facts.hpp"
#include "cdr/cdr_json.hpp"
#include "tandem/charge_terms.hpp"
#include "tandem/route_choices.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);

  std::vector<cdr::LegFacts> legs;
  if (cdr::read_legs(bytes, legs)) {
    std::string again;
    cdr::append_legs(again, legs);
    std::vector<cdr::LegFacts> reread;
    if (!cdr::read_legs(again, reread) || reread != legs) std::abort();
  }

  if (const auto choices = parse_route_choices(bytes)) {
    std::string again;
    for (const RouteChoice& choice : *choices) {
      // Written by its parts here, as the writer takes a candidate of a table.
      RouteCandidate candidate;
      candidate.rank = choice.rank;
      candidate.prefix = choice.prefix;
      candidate.is_protect = choice.is_protect;
      candidate.priority = choice.priority;
      candidate.load_calls = choice.load_calls;
      candidate.answer_percent = choice.answer_percent;
      candidate.price = choice.price;
      candidate.price_per_s = choice.price_per_s;
      append_route_choice(again, candidate, choice.vendor_gateway, choice.load_limit,
                          choice.passed_over, choice.rule);
    }
    const auto reread = parse_route_choices(again);
    if (!reread || reread->size() != choices->size()) std::abort();
    for (std::size_t i = 0; i < choices->size(); ++i) {
      RouteChoice expected =
          (*choices)[i];  // as the writer has it, who leaves out what says nothing
      if (expected.load_limit <= 0) expected.load_calls = 0;
      if (expected.answer_percent < 0) expected.answer_percent = -1;
      if (expected.price_per_s <= 0) {
        expected.price = Amount();
        expected.price_per_s = 0;
      }
      if (expected.passed_over == Reason::none) expected.rule.clear();
      if ((*reread)[i] != expected) std::abort();
    }
  }
  std::string json;
  cdr::append_choices_json(json, bytes);
  if (json.empty()) std::abort();

  (void)cdr::attempts_from_json(bytes);
  Cdr record;
  (void)cdr::media_from_json(bytes, record);
  (void)parse_charge_terms(bytes);
  (void)recompute_charge(bytes, 60'000, 1'795'608'000'000'000);
  return 0;
}
