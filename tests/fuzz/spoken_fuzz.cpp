// Input: a grammar. Whatever is accepted says numbers in bounded time, and names no file that its
// vocabulary does not have.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tandem/spoken.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto grammar = tandem::SpokenGrammar::parse({reinterpret_cast<const char*>(data), size});
  if (!grammar.ok()) {
    if (grammar.error().message.empty()) std::abort();
    return 0;
  }
  for (const char* section : {"number", "remaining_time", "remaining_amount"}) {
    const auto known = grammar->vocabulary(section, "USD");
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{21}, std::uint64_t{105},
          std::uint64_t{12'050}, std::uint64_t{999'999'999'999}, UINT64_MAX}) {
      const auto phrase = grammar->say(section, value, "USD");
      if (!phrase.ok()) continue;
      if (phrase->size() > tandem::SpokenGrammar::files_max) std::abort();
      if (!known.ok()) continue;  // a section that this number does not need is missing
      for (const std::string& file : *phrase) {
        if (!std::binary_search(known->begin(), known->end(), file)) std::abort();
        if (file.front() == '/' || file.find("..") != std::string::npos) std::abort();
      }
    }
  }
  return 0;
}
