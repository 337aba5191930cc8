#include <nlohmann/json.hpp>

#include "base/json_depth.hpp"
#include "cdr/day_manifest.hpp"

namespace tandem::cdr {
namespace {

using Json = nlohmann::ordered_json;

/// Texts of records may be any bytes.
std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json json_of(const DayContent& content) {
  Json sums = Json::array();
  for (const DaySum& sum : content.sums) {
    sums.push_back({{"currency", sum.currency},
                    {"charge", sum.charge},
                    {"vendor_charge", sum.vendor_charge},
                    {"agent_charge", sum.agent_charge}});
  }
  return {{"records", content.records},
          {"first_ended_at_us", content.first_ended_at_us},
          {"last_ended_at_us", content.last_ended_at_us},
          {"first_record_id", content.first_record_id},
          {"last_record_id", content.last_record_id},
          {"columns", content.columns},
          {"crc32c", content.crc},
          {"sums", std::move(sums)}};
}

/// Reads members; once one is missing or of another kind, all is.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {}
  template <class Integer>
  Members& integer(const char* key, Integer& out) {
    const auto found = find(key);
    is_good_ = is_good_ && found != object_.end() && found->is_number_integer();
    if (is_good_) out = found->template get<Integer>();
    return *this;
  }
  Members& text(const char* key, std::string& out) {
    const auto found = find(key);
    is_good_ = is_good_ && found != object_.end() && found->is_string();
    if (is_good_) out = found->template get<std::string>();
    return *this;
  }
  /// The array of this name; null when it is not there.
  const Json* array(const char* key) {
    const auto found = find(key);
    is_good_ = is_good_ && found != object_.end() && found->is_array();
    return is_good_ ? &*found : nullptr;
  }
  [[nodiscard]] bool is_good() const noexcept { return is_good_; }

 private:
  Json::const_iterator find(const char* key) const {
    return object_.is_object() ? object_.find(key) : object_.end();
  }
  const Json& object_;
  bool is_good_ = true;
};

bool read_content(const Json& object, DayContent& content) {
  Members members(object);
  members.integer("records", content.records)
      .integer("first_ended_at_us", content.first_ended_at_us)
      .integer("last_ended_at_us", content.last_ended_at_us)
      .integer("first_record_id", content.first_record_id)
      .integer("last_record_id", content.last_record_id)
      .integer("columns", content.columns)
      .integer("crc32c", content.crc);
  const Json* const sums = members.array("sums");
  if (sums == nullptr) return false;
  for (const Json& one : *sums) {
    DaySum sum;
    const bool is_good = Members(one)
                             .text("currency", sum.currency)
                             .text("charge", sum.charge)
                             .text("vendor_charge", sum.vendor_charge)
                             .text("agent_charge", sum.agent_charge)
                             .is_good();
    if (!is_good) return false;
    content.sums.push_back(std::move(sum));
  }
  return true;
}

Json parsed(std::string_view text) {
  if (too_deep_at(text)) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

}  // namespace

std::string content_to_json(const DayContent& content) { return dumped(json_of(content)); }

Result<DayContent> content_from_json(std::string_view text) {
  DayContent content;
  const Json json = parsed(text);
  if (json.is_discarded() || !read_content(json, content))
    return Error{ErrorCode::corrupt, "what a day was sealed with was not readable"};
  return content;
}

std::string manifest_to_json(const DayManifest& manifest) {
  return dumped({{"day", manifest.day},
                 {"made_at_us", manifest.made_at_us},
                 {"database_bytes", manifest.database_bytes},
                 {"compressed_bytes", manifest.compressed_bytes},
                 {"compressed_crc32c", manifest.compressed_crc},
                 {"content", json_of(manifest.content)}});
}

Result<DayManifest> manifest_from_json(std::string_view text) {
  DayManifest manifest;
  const Json json = parsed(text);
  const bool is_good = !json.is_discarded() && json.is_object() && json.contains("content") &&
                       Members(json)
                           .text("day", manifest.day)
                           .integer("made_at_us", manifest.made_at_us)
                           .integer("database_bytes", manifest.database_bytes)
                           .integer("compressed_bytes", manifest.compressed_bytes)
                           .integer("compressed_crc32c", manifest.compressed_crc)
                           .is_good() &&
                       read_content(json.at("content"), manifest.content);
  if (!is_good) return Error{ErrorCode::corrupt, "the manifest of an archive was not readable"};
  return manifest;
}

}  // namespace tandem::cdr
