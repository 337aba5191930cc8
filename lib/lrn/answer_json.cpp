#include <nlohmann/json.hpp>
#include <string>

#include "base/json_depth.hpp"
#include "lrn/number.hpp"

namespace tandem::lrn {
namespace {

using nlohmann::json;

const json* member(const json& object, std::string_view key) {
  if (key.starts_with('/')) {
    const json::json_pointer pointer{std::string(key)};
    return object.contains(pointer) ? &object.at(pointer) : nullptr;
  }
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

/// False: neither a text, a number of digits alone nor nothing.
bool read_text(const json* value, std::string& out) {
  if (value == nullptr || value->is_null()) return true;
  if (value->is_string()) {
    out = value->get_ref<const std::string&>();
    return true;
  }
  if (!value->is_number_unsigned()) return false;
  out = value->dump();
  return true;
}

}  // namespace

std::optional<LrnRecord> record_from_json(std::string_view text, std::string_view lrn_key,
                                          std::string_view region_key) {
  if (too_deep_at(text)) return std::nullopt;
  const json answer = json::parse(text.begin(), text.end(), nullptr, false);
  std::string lrn, region;
  try {
    if (!answer.is_object() || !read_text(member(answer, lrn_key), lrn) ||
        !read_text(member(answer, region_key), region)) {
      return std::nullopt;
    }
  } catch (const json::exception&) {  // a pointer that goes through what is no object
    return std::nullopt;
  }
  return make_record(lrn, region);
}

}  // namespace tandem::lrn
