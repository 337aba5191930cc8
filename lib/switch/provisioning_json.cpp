// The JSON of provisioned objects.
#include <set>

#include "switch/provision_kinds_json.hpp"
#include "switch/provisioning.hpp"

namespace tandem {

namespace {

using config::Json;

constexpr std::size_t faults_max = 100;  // of one change; more help nobody

std::string text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Reads one put. Faults have no index yet.
/// No header line of CSV begins with a bracket.
bool has_csv_rates(const ProvisionedObject& put) noexcept {
  return put.rates && !put.rates->starts_with('[');
}

class PutReader {
 public:
  /// `on_read`: told how many bytes of the CSV were read.
  PutReader(const ProvisionedObject& put, const SwitchConfig& in_force,
            std::vector<ProvisionFault>& faults, std::function<void(std::size_t)> on_read)
      : put_(put), in_force_(in_force), faults_(faults), on_read_(std::move(on_read)) {}

  /// The kind and id that it is about; false: there were faults.
  bool read(Provision& update, ObjectName& name) {
    const std::size_t faults_before = faults_.size();
    const config::ProvisionKind* kind = config::find_provision_kind(put_.kind);
    if (kind == nullptr) return fail(ErrorCode::not_found, "", "no list \"" + put_.kind + "\"");
    Json object;
    if (!parse(object) || !check_id(object) || !check_deck(object)) return false;
    if (has_json_rates()) {
      auto rates = config::parse_json(*put_.rates);
      if (!rates) return fail(rates.error().code, "/rates", rates.error().message);
      object["rates"] = std::move(*rates);
    }
    std::vector<ConfigError> errors;
    config::Reader reader(in_force_.folder, errors, true);
    config::read_provisioned(reader, *kind, object, update);
    for (ConfigError& error : errors)
      fail(ErrorCode::invalid_argument, std::move(error.pointer), std::move(error.message));
    if (has_csv_rates(put_) && faults_.size() == faults_before) {
      if (auto rates = parse_deck_csv(*put_.rates, "CSV", on_read_)) {
        update.rate_decks.back().rates = std::move(*rates);
      } else {
        fail(ErrorCode::invalid_argument, "/rates", rates.error().message);
      }
    }
    name = {kind->name, kind->id_at(update, kind->size(update) - 1)};
    return faults_.size() == faults_before;
  }

 private:
  bool fail(ErrorCode code, std::string pointer, std::string message) {
    faults_.push_back({code, 0, std::move(pointer), std::move(message)});
    return false;
  }

  [[nodiscard]] bool has_json_rates() const { return put_.rates && !has_csv_rates(put_); }

  bool parse(Json& object) {
    if (put_.json.empty() && put_.rates) {
      object = deck_in_force();
      object.erase("file");
      return true;
    }
    std::vector<std::string> repeated;
    auto read = config::parse_json(put_.json, config::Comments::refused, repeated);
    if (!read) return fail(read.error().code, "", read.error().message);
    object = std::move(*read);
    for (const auto& key : repeated)
      fail(ErrorCode::invalid_argument, "", "key \"" + key + "\" is there twice");
    if (!object.is_object()) return fail(ErrorCode::invalid_argument, "", "text is no JSON object");
    return repeated.empty();
  }

  /// What is known of the deck that is put, but for its rates.
  [[nodiscard]] Json deck_in_force() const {
    const auto list = in_force_.provision.documents.find(put_.kind);
    if (list != in_force_.provision.documents.end()) {
      const auto known = list->second.find(put_.id);
      if (known != list->second.end()) return config::json_or_null(known->second);
    }
    Json object = {{"id", put_.id}};
    for (const RateDeckConfig& deck : in_force_.provision.rate_decks) {
      if (deck.id == put_.id) object["currency"] = deck.currency;  // given as a structure
    }
    return object;
  }

  bool check_id(Json& object) {
    if (put_.id.empty()) return true;
    if (!object.contains("id")) {
      object["id"] = put_.id;
      return true;
    }
    if (object["id"] == put_.id) return true;
    return fail(ErrorCode::invalid_argument, "/id",
                text(object["id"]) + " is not the id \"" + put_.id + "\" that is put");
  }

  bool check_deck(const Json& object) {
    if (put_.kind != "rate_decks") {
      return !put_.rates || fail(ErrorCode::invalid_argument, "",
                                 "only a rate deck has rates, not one of " + put_.kind);
    }
    if (object.contains("file")) {
      return fail(ErrorCode::invalid_argument, "/file",
                  "files are for the configuration file; send the rates themselves");
    }
    if (put_.rates && object.contains("rates"))
      return fail(ErrorCode::invalid_argument, "/rates", "rates are there twice");
    if (!put_.rates && !object.contains("rates") && has_rates(object)) {
      return fail(ErrorCode::invalid_argument, "/rates",
                  "missing \"rates\"; an empty list would remove those that are there");
    }
    return true;
  }

  [[nodiscard]] bool has_rates(const Json& object) const {
    for (const RateDeckConfig& deck : in_force_.provision.rate_decks) {
      if (object.contains("id") && object["id"] == deck.id)
        return deck.built ? deck.built->size() != 0 : !deck.rates.empty();
    }
    return false;
  }

  const ProvisionedObject& put_;
  const SwitchConfig& in_force_;
  std::vector<ProvisionFault>& faults_;
  const std::function<void(std::size_t)> on_read_;
};

/// Lists of a difference, each with a bound, and how long they are really.
class DiffWriter {
 public:
  explicit DiffWriter(std::size_t rows_max) : rows_max_(rows_max) {}

  /// `row` makes the row, and is asked only when there is room for it.
  template <class Row>
  void add(const char* list, Row&& row) {
    auto& count = counts_[list];
    count = count.get<std::uint64_t>() + 1;
    if (lists_[list].size() < rows_max_) lists_[list].push_back(row());
  }
  [[nodiscard]] std::string finish(std::uint64_t from, std::uint64_t to) const {
    Json json = {{"from", from}, {"to", to}};
    json.update(lists_);
    json["counts"] = counts_;
    return text(json);
  }

 private:
  const std::size_t rows_max_;
  Json lists_ = {{"added", Json::array()}, {"removed", Json::array()}, {"changed", Json::array()}};
  Json counts_ = {{"added", 0U}, {"removed", 0U}, {"changed", 0U}};
};

Json rate_json(const Rate& rate) { return config::json_or_null(to_json(rate)); }

/// The order of RateDeck::at().
bool comes_before(const Rate& a, const Rate& b) {
  return std::pair<const std::string&, std::int64_t>(a.prefix, a.valid_from_us) <
         std::pair<const std::string&, std::int64_t>(b.prefix, b.valid_from_us);
}

}  // namespace

void read_puts(const ProvisionChange& change, const SwitchConfig& in_force, Provision& update,
               std::vector<ObjectName>& names, std::vector<ProvisionFault>& faults,
               const std::function<void(std::uint64_t)>& on_read) {
  std::uint64_t bytes_before = 0;  // of the CSV of those that were read
  std::set<std::pair<std::string, std::string>> seen;
  for (std::size_t i = 0; i < change.puts.size() && faults.size() < faults_max; ++i) {
    const std::size_t faults_before = faults.size();
    ObjectName name;
    PutReader reader(change.puts[i], in_force, faults,
                     [&](std::size_t bytes) { on_read(bytes_before + bytes); });
    if (reader.read(update, name) && !seen.emplace(name.kind, name.id).second) {
      faults.push_back(
          {ErrorCode::invalid_argument, i, "/id", "\"" + name.id + "\" is there twice"});
    }
    for (std::size_t k = faults_before; k < faults.size(); ++k)
      faults[k].index = i;
    names.push_back(std::move(name));
    if (has_csv_rates(change.puts[i])) bytes_before += change.puts[i].rates->size();
    on_read(bytes_before);
  }
}

std::uint64_t csv_bytes(const ProvisionChange& change) noexcept {
  std::uint64_t bytes = 0;
  for (const ProvisionedObject& put : change.puts)
    bytes += has_csv_rates(put) ? put.rates->size() : 0;
  return bytes;
}

Result<void> read_stored_object(const ProvisionedObject& object, const std::string& folder,
                                Provision& into) {
  const auto wrong = [&](ErrorCode code, const std::string& what) {
    return Error{code, "stored " + object.kind + " \"" + object.id + "\": " + what};
  };
  const config::ProvisionKind* kind = config::find_provision_kind(object.kind);
  if (kind == nullptr)
    return wrong(ErrorCode::unsupported, "no such list; was a later release here?");
  const auto json = config::parse_json(object.json);
  if (!json) return wrong(ErrorCode::corrupt, json.error().message);
  std::vector<ConfigError> errors;
  config::Reader reader(folder, errors, true);
  config::read_provisioned(reader, *kind, *json, into);
  if (errors.empty()) return {};
  return wrong(ErrorCode::invalid_argument, errors.front().pointer + ": " + errors.front().message);
}

std::string with_rates(const std::string& json, const RateDeck& deck) {
  Json object = config::json_or_null(json);
  Json rates = Json::array();
  for (std::size_t i = 0; i < deck.size(); ++i)
    rates.push_back(rate_json(deck.at(i)));
  object.erase("file");  // its rates are among those
  object["rates"] = std::move(rates);
  return text(object);
}

std::string with_row_count(const std::string& json, std::size_t rows) {
  Json object = config::json_or_null(json);
  object["rows"] = rows;
  return text(object);
}

std::string id_only_json(std::string_view id) { return text({{"id", id}}); }

std::string memo_of(const std::string& json) {
  const Json object = config::json_or_null(json);
  return object.is_object() ? object.value("memo", std::string()) : std::string();
}

std::string diff_json(const RateDeck& from, std::uint64_t from_number, const RateDeck& to,
                      std::uint64_t to_number, std::size_t rows_max) {
  DiffWriter diff(rows_max);
  std::size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    if (j == to.size() || (i < from.size() && comes_before(from.at(i), to.at(j)))) {
      diff.add("removed", [&] { return rate_json(from.at(i)); });
      ++i;
    } else if (i == from.size() || comes_before(to.at(j), from.at(i))) {
      diff.add("added", [&] { return rate_json(to.at(j)); });
      ++j;
    } else {
      if (from.at(i) != to.at(j)) {
        diff.add("changed", [&] {
          return Json{{"prefix", from.at(i).prefix},
                      {"from", rate_json(from.at(i))},
                      {"to", rate_json(to.at(j))}};
        });
      }
      ++i;
      ++j;
    }
  }
  return diff.finish(from_number, to_number);
}

std::string to_json(const ProvisionFault& fault) {
  return text(Json{{"code", error_code_name(fault.code)},
                   {"index", fault.index},
                   {"pointer", fault.pointer},
                   {"message", fault.message}});
}

std::string to_json(const DeckVersion& version) {
  Json json = {{"number", version.number},
               {"digest", version.digest},
               {"rows", version.rows},
               {"memo", version.memo},
               {"made_at_us", version.made_at_us},
               {"is_active", version.is_active},
               {"activated_at_us", version.activated_at_us}};
  json["valid_from"] = nullptr;
  if (version.due_at_us != 0) json["valid_from"] = format_time_us(version.due_at_us);
  return text(json);
}

}  // namespace tandem
