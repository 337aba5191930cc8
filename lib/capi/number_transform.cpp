// Numbers that stand for others.
#include "tandem/number_transform.hpp"

#include "capi/guard.hpp"
#include "tandem/tandem.h"

using namespace tandem;
using namespace tandem::capi;

struct tandem_number_transforms {
  NumberTransforms body;
};
struct tandem_mobile_areas {
  MobileAreas body;
};

namespace tandem::capi {
namespace {

constexpr std::size_t number_characters_max = sizeof(tandem_rewritten_number{}.number) - 1;

/// REQUIRES: check_result_struct(). `is_changed`: else it is as it was given.
void write_number(std::string_view number, bool is_changed, tandem_rewritten_number* out) {
  tandem_rewritten_number result{};
  if (number.size() > number_characters_max) {
    result.outcome = TANDEM_REWRITE_TOO_LONG;
  } else {
    result.outcome = is_changed ? TANDEM_REWRITE_REWRITTEN : TANDEM_REWRITE_UNCHANGED;
    number.copy(result.number, number_characters_max);
  }
  write_struct(out, result);
}

}  // namespace
}  // namespace tandem::capi

extern "C" {

int tandem_number_transforms_create(const tandem_number_transform* entries, size_t count,
                                    tandem_number_transforms** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    if (count > 0) TANDEM_CAPI_NOT_NULL(entries);
    std::vector<NumberTransform> read;
    for (size_t i = 0; i < count; ++i) {
      read.push_back({{},
                      copy(entries[i].number),
                      copy(entries[i].customer_caller),
                      copy(entries[i].vendor_callee)});
    }
    auto built = NumberTransforms::build(read);
    TANDEM_CAPI_TRY(built);
    *out = new tandem_number_transforms{std::move(*built)};
    return TANDEM_OK;
  });
}

int tandem_number_transforms_from_customer(const tandem_number_transforms* transforms,
                                           const char* caller, tandem_rewritten_number* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(transforms);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_rewritten_number"));
    const std::string_view number = transforms->body.from_customer(view(caller));
    write_number(number, number != view(caller), out);
    return TANDEM_OK;
  });
}

int tandem_number_transforms_to_vendor(const tandem_number_transforms* transforms,
                                       const char* callee, tandem_rewritten_number* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(transforms);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_rewritten_number"));
    const std::string_view number = transforms->body.to_vendor(view(callee));
    write_number(number, number != view(callee), out);
    return TANDEM_OK;
  });
}

void tandem_number_transforms_destroy(tandem_number_transforms* transforms) { delete transforms; }

int tandem_mobile_areas_create(const tandem_mobile_area* entries, size_t count,
                               tandem_mobile_areas** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    if (count > 0) TANDEM_CAPI_NOT_NULL(entries);
    std::vector<MobileArea> read;
    for (size_t i = 0; i < count; ++i) {
      read.push_back(
          {{}, copy(entries[i].prefix), copy(entries[i].area_code), copy(entries[i].area)});
    }
    auto built = MobileAreas::build(read);
    TANDEM_CAPI_TRY(built);
    *out = new tandem_mobile_areas{std::move(*built)};
    return TANDEM_OK;
  });
}

int tandem_mobile_areas_complete(const tandem_mobile_areas* areas, const char* const* chosen,
                                 size_t chosen_count, const char* number,
                                 tandem_rewritten_number* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(areas);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_rewritten_number"));
    std::vector<std::string> names;
    TANDEM_CAPI_TRY(read_texts(chosen, chosen_count, "chosen", names));
    const auto choice = areas->body.choose(names);
    TANDEM_CAPI_TRY(choice);
    const std::string_view area_code = areas->body.area_code(view(number), *choice);
    write_number(std::string(area_code) + copy(number), !area_code.empty(), out);
    return TANDEM_OK;
  });
}

void tandem_mobile_areas_destroy(tandem_mobile_areas* areas) { delete areas; }

}  // extern "C"
