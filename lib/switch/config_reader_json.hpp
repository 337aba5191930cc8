// Reading JSON into structures by tables: one row per key, which also makes the configuration
// reference.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/config.hpp"
#include "tandem/error.hpp"

namespace tandem::config {

using Json = nlohmann::ordered_json;

/// Text from outside as JSON; the only way in which it becomes some, because what is read here does
/// not nest deeper than json_depth_max. Errors: invalid_argument (no JSON, or too deep; says
/// where).
Result<Json> parse_json(std::string_view text);
/// The same for what people write: `repeated` gets the keys that stand twice in one object, which
/// the JSON library would merge silently.
enum class Comments : std::uint8_t { refused, allowed };
Result<Json> parse_json(std::string_view text, Comments comments,
                        std::vector<std::string>& repeated);
/// Null when it is none; for texts that were read or made here before.
Json json_or_null(std::string_view text);

/// With '?' for what is no printable ASCII.
std::string printable(std::string text);

/// Collects every error with the place it belongs to. The pointer grows and shrinks with the
/// descent.
class Reader {
 public:
  /// `looks_outside`: whether deck files are read and host names asked for.
  Reader(std::string folder, std::vector<ConfigError>& errors, bool looks_outside)
      : folder_(std::move(folder)), errors_(errors), looks_outside_(looks_outside) {}

  /// Extends the pointer for the lifetime of the value.
  class [[nodiscard]] Step {
   public:
    Step(Reader& reader, std::string_view key);
    Step(Reader& reader, std::size_t index);
    ~Step() { reader_.pointer_.resize(length_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Reader& reader_;
    std::size_t length_;
  };

  void fail(std::string message);
  [[nodiscard]] const std::string& pointer() const { return pointer_; }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] bool looks_outside() const { return looks_outside_; }
  [[nodiscard]] std::size_t error_count() const { return errors_.size(); }

  bool string(const Json& value, std::string& out, std::size_t length_max = 256);
  bool boolean(const Json& value, bool& out);  ///< Also "On" and "Off" (VOS).
  bool integer(const Json& value, std::int64_t low, std::int64_t high,
               std::int64_t& out);                     ///< Also as a string.
  bool amount(const Json& value, Amount& out);         ///< A decimal string.
  bool time(const Json& value, std::int64_t& out_us);  ///< RFC 3339 or YYYY-MM-DD.
  bool strings(const Json& value,
               std::vector<std::string>& out);  ///< An array; where a parameter, comma text too.

  template <class Int>
  void number(const Json& value, std::int64_t low, std::int64_t high, Int& out) {
    std::int64_t wide = 0;
    if (integer(value, low, high, wide)) out = static_cast<Int>(wide);
  }
  template <class Enum>
  void choice(const Json& value, std::initializer_list<std::pair<const char*, Enum>> names,
              Enum& out) {
    std::string text;
    if (!string(value, text)) return;
    for (const auto& [name, enumerator] : names) {
      if (same_word(text, name)) {
        out = enumerator;
        return;
      }
    }
    std::string known;
    for (const auto& [name, enumerator] : names)
      known += (known.empty() ? "" : ", ") + std::string(name);
    fail("\"" + text + "\" is not one of " + known);
  }
  /// Calls `read(element)` for each element of an array.
  template <class F>
  void each(const Json& value, F read) {
    if (!value.is_array()) {
      fail(std::string("expected an array, found ") + value.type_name());
      return;
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      Step step(*this, i);
      read(value[i]);
    }
  }

 private:
  static bool same_word(std::string_view a,
                        std::string_view b);  // ignores case, spaces and underscores

  std::string folder_;
  std::string pointer_;
  std::vector<ConfigError>& errors_;
  const bool looks_outside_;
};

/// One key of an object.
template <class T>
struct Field {
  const char* key;
  const char* type;       ///< For the reference: "integer 0..65535", "decimal", ...
  const char* otherwise;  ///< The default, as text.
  const char* meaning;    ///< One line, with the feature id.
  void (*read)(Reader&, const Json&, T&);
  const char* alias = nullptr;        ///< VOS name.
  const char* other_alias = nullptr;  ///< A second spelling of it that is in use.

  [[nodiscard]] bool is_called(std::string_view name) const {
    return name == key || (alias != nullptr && name == alias) ||
           (other_alias != nullptr && name == other_alias);
  }
};

/// Reads an object by its table; reports what is no object, unknown keys, keys given by both their
/// names and missing ones.
template <class T>
void read_object(Reader& reader, const Json& value, const std::vector<Field<T>>& fields,
                 std::initializer_list<const char*> required, T& out) {
  if (!value.is_object()) {
    reader.fail(std::string("expected an object, found ") + value.type_name());
    return;
  }
  for (auto item = value.begin(); item != value.end(); ++item) {
    Reader::Step step(reader, item.key());
    const Field<T>* found = nullptr;
    for (const auto& field : fields) {
      if (field.is_called(item.key())) found = &field;
    }
    const auto same_thing = [&](const auto& other) {
      return other.key() != item.key() && found->is_called(other.key());
    };
    if (found == nullptr) {
      reader.fail("unknown or not yet supported key \"" + item.key() + "\"");
    } else if (item.key() != found->key &&
               std::any_of(value.items().begin(), value.items().end(), same_thing)) {
      reader.fail(std::string("is another name of \"") + found->key + "\", which is there too");
    } else if (!item.value().is_null()) {
      found->read(reader, item.value(), out);
    }
  }
  for (const char* key : required) {
    if (!value.contains(key)) {
      Reader::Step step(reader, key);
      reader.fail(std::string("missing \"") + key + "\"");
    }
  }
}

}  // namespace tandem::config
