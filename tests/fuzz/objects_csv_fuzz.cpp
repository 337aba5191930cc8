// Objects as CSV from outside: no input may crash, errors are one line, and what was read is the
// same after it was written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tandem/provision.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const char* kind : {"accounts", "gateways"}) {
    std::vector<std::size_t> rows;
    const auto objects = tandem::objects_from_csv(kind, text, &rows);
    if (!objects) {
      if (objects.error().message.find('\n') != std::string::npos) std::abort();
      continue;
    }
    if (rows.size() != objects->size()) std::abort();
    const std::string written = tandem::objects_to_csv(kind, *objects);
    const auto again = tandem::objects_from_csv(kind, written);
    if (!again || again->size() != objects->size()) std::abort();
    for (std::size_t i = 0; i < objects->size(); ++i) {
      if ((*again)[i].id != (*objects)[i].id || (*again)[i].kind != (*objects)[i].kind)
        std::abort();
    }
    if (tandem::objects_to_csv(kind, *again) != written) std::abort();
  }
  return 0;
}
