// Numbers, time and money as sound files.
#include <string>
#include <utility>

#include "capi/values.hpp"
#include "tandem/spoken.hpp"

using namespace tandem;
using namespace tandem::capi;

namespace {

int give_phrase(const Result<SpokenPhrase>& phrase, const char* folder, tandem_text** out) {
  TANDEM_CAPI_TRY(phrase);
  auto files = folder == nullptr ? Result<SpokenPhrase>(*phrase) : spoken_files(*phrase, folder);
  TANDEM_CAPI_TRY(files);
  std::string lines;
  for (const std::string& file : *files)
    lines += file + '\n';
  return give(std::move(lines), out);
}

}  // namespace

extern "C" {

int tandem_spoken_phrase(const char* grammar, const char* section, uint64_t value,
                         const char* currency, const char* folder, tandem_text** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(grammar);
    TANDEM_CAPI_NOT_NULL(section);
    TANDEM_CAPI_NOT_NULL(out);
    const auto language = SpokenGrammar::load(grammar);
    TANDEM_CAPI_TRY(language);
    return give_phrase(language->say(section, value, currency == nullptr ? "" : currency), folder,
                       out);
  });
}

int tandem_spoken_amount(const char* grammar, int64_t units, const char* currency,
                         const char* folder, tandem_text** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(grammar);
    TANDEM_CAPI_NOT_NULL(currency);
    TANDEM_CAPI_NOT_NULL(out);
    const auto language = SpokenGrammar::load(grammar);
    TANDEM_CAPI_TRY(language);
    return give_phrase(language->remaining_amount(Amount::from_units(units), currency), folder,
                       out);
  });
}

}  // extern "C"
