// The plan and the report of a shadow as JSON, and the report for people.
#include <algorithm>
#include <set>

#include "base/text_table.hpp"
#include "switch/config_check.hpp"
#include "switch/provision_kinds_json.hpp"
#include "switch/provisioning.hpp"
#include "switch/shadow.hpp"

namespace tandem {

namespace {

using config::Json;
using Wide = ShadowSums::Wide;

constexpr std::size_t plan_objects_max = 100'000;

std::string text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// --- the plan ---

/// Reads the plan; the first thing that is wrong ends it.
class PlanReader {
 public:
  Result<ShadowPlan> read(std::string_view given) {
    std::vector<std::string> repeated;
    auto parsed = config::parse_json(given, config::Comments::allowed, repeated);
    if (!parsed) return std::move(parsed).error();
    const Json plan = std::move(*parsed);
    if (!repeated.empty()) return wrong("", "key \"" + repeated.front() + "\" was there twice");
    if (!plan.is_object()) return wrong("", "plan was no JSON object");
    for (auto item = plan.begin(); item != plan.end(); ++item) {
      Result<void> done;
      if (item.value().is_null()) {
        continue;
      } else if (item.key() == "decks") {
        done = read_decks(item.value());
      } else if (item.key() == "provision") {
        done = read_objects(item.value());
      } else if (item.key() == "remove") {
        done = read_removals(item.value());
      } else if (item.key() == "parameters") {
        plan_.parameters = text(item.value());
      } else if (item.key() == "memo" && item.value().is_string()) {
        plan_.memo = item.value().get<std::string>();
      } else {
        done = wrong("/" + item.key(), "unknown key, or no text");
      }
      if (!done) return done.error();
    }
    return std::move(plan_);
  }

 private:
  static Error wrong(const std::string& pointer, const std::string& message) {
    return Error{ErrorCode::invalid_argument,
                 config::printable(pointer.empty() ? message : pointer + ": " + message)};
  }

  Result<void> read_decks(const Json& decks) {
    if (!decks.is_array()) return wrong("/decks", "expected an array");
    for (std::size_t i = 0; i < decks.size(); ++i) {
      const std::string pointer = "/decks/" + std::to_string(i);
      const Json& deck = decks[i];
      if (!deck.is_object() || deck.size() != 2 || !deck.contains("id") ||
          !deck.contains("version") || !deck["id"].is_string() ||
          !deck["version"].is_number_unsigned()) {
        return wrong(pointer, "expected {\"id\": text, \"version\": number}");
      }
      plan_.decks.push_back({deck["id"].get<std::string>(), deck["version"].get<std::uint64_t>()});
    }
    return {};
  }

  Result<void> read_objects(const Json& lists) {
    if (!lists.is_object()) return wrong("/provision", "expected an object");
    for (auto list = lists.begin(); list != lists.end(); ++list) {
      const std::string pointer = "/provision/" + list.key();
      if (config::find_provision_kind(list.key()) == nullptr) return wrong(pointer, "no such list");
      if (!list.value().is_array()) return wrong(pointer, "expected an array");
      for (const Json& object : list.value()) {
        if (plan_.puts.size() == plan_objects_max)
          return wrong(pointer, "plan had more than 100000 objects");
        const bool has_id = object.is_object() && object.contains("id") && object["id"].is_string();
        plan_.puts.push_back({list.key(), has_id ? object["id"].get<std::string>() : std::string(),
                              text(object), std::nullopt});
      }
    }
    return {};
  }

  Result<void> read_removals(const Json& lists) {
    if (!lists.is_object()) return wrong("/remove", "expected an object");
    for (auto list = lists.begin(); list != lists.end(); ++list) {
      const std::string pointer = "/remove/" + list.key();
      if (config::find_provision_kind(list.key()) == nullptr) return wrong(pointer, "no such list");
      if (!list.value().is_array()) return wrong(pointer, "expected an array");
      for (const Json& id : list.value()) {
        if (!id.is_string()) return wrong(pointer, "expected an array of ids");
        plan_.removals.push_back({list.key(), id.get<std::string>()});
      }
    }
    return {};
  }

  ShadowPlan plan_;
};

/// "/provision/LIST/INDEX" of the `index`th put, as the plan has it.
std::string pointer_of_put(const ShadowPlan& plan, std::size_t index) {
  const auto same_list = [&](const ProvisionedObject& put) {
    return put.kind == plan.puts[index].kind;
  };
  const auto begin = plan.puts.begin();
  return "/provision/" + plan.puts[index].kind + "/" +
         std::to_string(
             std::count_if(begin, begin + static_cast<std::ptrdiff_t>(index), same_list));
}

// --- the report ---

/// At least two decimals and no further trailing zeros, as amounts are written.
std::string money_text(Wide units) {
  constexpr Wide scale = Amount::scale;
  const bool is_negative = units < 0;
  Wide whole = is_negative ? -(units / scale) : units / scale;
  const Wide fraction = is_negative ? -(units % scale) : units % scale;
  const std::string decimals =
      Amount::from_units(static_cast<std::int64_t>(fraction)).to_string().substr(1);
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(whole % 10)));
    whole /= 10;
  } while (whole != 0);
  return (is_negative ? "-" : "") + digits + decimals;
}

Json money_json(const std::map<std::string, ShadowSums>& money) {
  Json rows = Json::array();
  for (const auto& [currency, sums] : money) {
    const Wide cost = sums.shadow_cost - sums.live_cost;
    rows.push_back(
        {{"currency", currency},
         {"live_revenue", money_text(sums.live_revenue)},
         {"shadow_revenue", money_text(sums.shadow_revenue)},
         {"live_cost", money_text(sums.live_cost)},
         {"shadow_cost", money_text(sums.shadow_cost)},
         {"cost_difference", money_text(cost)},
         {"margin_difference", money_text(sums.shadow_revenue - sums.live_revenue - cost)}});
  }
  return rows;
}

void add_row(Json& json, const ShadowRow& row) {
  json["calls"] = row.calls;
  json["changed"] = row.changed;
  json["no_route"] = row.no_route;
  json["gained"] = row.gained;
  json["answered"] = row.answered;
  json["answered_moved"] = row.answered_moved;
  json["answered_lost"] = row.answered_lost;
  json["unpriced"] = row.unpriced;
  json["talk_time_ms"] = row.talk_time_ms;
  json["money"] = money_json(row.money);
}

Json vendor_json(const std::string& id, const ShadowVendorRow& row) {
  Json money = Json::array();
  for (const auto& [currency, sums] : row.money) {
    money.push_back({{"currency", currency},
                     {"live_cost", money_text(sums.live_cost)},
                     {"shadow_cost", money_text(sums.shadow_cost)},
                     {"cost_difference", money_text(sums.shadow_cost - sums.live_cost)}});
  }
  return {{"vendor_gateway", id},
          {"live_first", row.live_first},
          {"shadow_first", row.shadow_first},
          {"live_carried", row.live_carried},
          {"shadow_carried", row.shadow_carried},
          {"money", std::move(money)}};
}

Json vendor_or_none(const std::string& id) { return id.empty() ? Json(nullptr) : Json(id); }

/// What the shadow is made of, without the objects themselves.
Json plan_json(const ShadowPlan& plan) {
  Json decks = Json::array(), puts = Json::object(), removals = Json::object();
  for (const auto& deck : plan.decks)
    decks.push_back({{"id", deck.id}, {"version", deck.version}});
  for (const auto& put : plan.puts)
    puts[put.kind].push_back(put.id);
  for (const auto& removal : plan.removals)
    removals[removal.kind].push_back(removal.id);
  Json json = {
      {"decks", std::move(decks)}, {"provision", std::move(puts)}, {"remove", std::move(removals)}};
  json["parameters"] =
      plan.parameters.empty() ? Json(nullptr) : config::json_or_null(plan.parameters);
  json["memo"] = plan.memo;
  return json;
}

// --- the report for people ---

constexpr auto right = TextTable::Align::right;

std::string cell(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "-";
  return found->is_string() ? found->get<std::string>() : text(*found);
}

/// 0 for what is no number.
std::int64_t number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

const Json& list(const Json& report, const char* key) {
  static const Json none = Json::array();
  const auto found = report.find(key);
  return found != report.end() && found->is_array() ? *found : none;
}

/// A row for each currency, so that sums of different ones are never in one cell; the counts stand
/// in the first.
void add_rows(TextTable& table, std::vector<std::string> counts, const Json& row,
              std::initializer_list<const char*> sums) {
  const Json& money = list(row, "money");
  const std::size_t columns = counts.size();
  for (const Json& currency : money) {
    counts.push_back(cell(currency, "currency"));
    for (const char* sum : sums)
      counts.push_back(cell(currency, sum));
    table.row(std::move(counts));
    counts.assign(columns, "");
  }
  if (money.empty()) table.row(std::move(counts));
}

/// The rows with most of what `key` counts first; equal ones in the order of the report.
std::vector<const Json*> largest(const Json& rows, const char* key, std::size_t rows_max) {
  std::vector<const Json*> order;
  for (const Json& row : rows)
    order.push_back(&row);
  std::stable_sort(order.begin(), order.end(),
                   [&](const Json* a, const Json* b) { return number(*a, key) > number(*b, key); });
  if (order.size() > rows_max) order.resize(rows_max);
  return order;
}

void add_call_columns(TextTable& table) {
  for (const char* title : {"CALLS", "CHANGED", "NO ROUTE", "GAINED", "ANSWERED", "MOVED", "LOST"})
    table.column(title, right);
  table.column("CURRENCY");
  for (const char* title : {"COST", "SHADOW COST", "COST DIFF", "MARGIN DIFF"})
    table.column(title, right);
}

void add_call_row(TextTable& table, std::vector<std::string> names, const Json& row) {
  for (const char* key :
       {"calls", "changed", "no_route", "gained", "answered", "answered_moved", "answered_lost"})
    names.push_back(cell(row, key));
  add_rows(table, std::move(names), row,
           {"live_cost", "shadow_cost", "cost_difference", "margin_difference"});
}

std::string list_title(const char* title, std::size_t shown, std::size_t all) {
  std::string line = std::string("\n") + title;
  if (shown < all) line += " (" + std::to_string(shown) + " of " + std::to_string(all) + ")";
  return line + "\n";
}

}  // namespace

Result<ShadowPlan> read_shadow_plan(std::string_view given) { return PlanReader().read(given); }

Result<SwitchConfig> config_of_shadow(const ShadowPlan& plan, SwitchConfig in_force,
                                      const DeckVersionReader& read_version) {
  const auto wrong = [](const std::string& pointer, const std::string& message) {
    return Error{ErrorCode::invalid_argument, pointer + ": " + message};
  };
  for (std::size_t i = 0; i < plan.decks.size(); ++i) {
    const auto place =
        std::find_if(in_force.provision.rate_decks.begin(), in_force.provision.rate_decks.end(),
                     [&](const RateDeckConfig& known) { return known.id == plan.decks[i].id; });
    auto deck = read_version(plan.decks[i].id, plan.decks[i].version);
    if (!deck) return deck.error();
    if (place == in_force.provision.rate_decks.end())
      return wrong("/decks/" + std::to_string(i), "no rate deck \"" + plan.decks[i].id + "\"");
    place->built = std::move(*deck);
  }
  ProvisionChange change;
  change.puts = plan.puts;
  Provision update;
  std::vector<ObjectName> names;
  std::vector<ProvisionFault> faults;
  read_puts(change, in_force, update, names, faults, [](std::uint64_t) {});
  if (!faults.empty()) {
    return wrong(pointer_of_put(plan, faults.front().index) + faults.front().pointer,
                 faults.front().message);
  }
  if (auto frozen = freeze_decks(update.rate_decks); !frozen) return frozen.error();
  config::upsert(in_force.provision, update);
  for (const ObjectName& removal : plan.removals) {
    if (!config::find_provision_kind(removal.kind)->erase(in_force.provision, removal.id))
      return wrong("/remove/" + removal.kind, "no object \"" + removal.id + "\"");
  }
  std::vector<ConfigError> errors;
  if (!plan.parameters.empty()) {
    config::Reader reader(in_force.folder, errors, false);
    config::Reader::Step step(reader, "parameters");
    config::read_parameters(reader, config::json_or_null(plan.parameters), in_force.parameters);
  }
  if (errors.empty()) check_config(in_force, errors);
  if (!errors.empty()) return wrong(errors.front().pointer, errors.front().message);
  return in_force;
}

std::string to_json(const ShadowTally& tally, const ShadowPlan& plan, std::int64_t started_at_us,
                    std::int64_t at_us, std::uint64_t waiting, std::uint64_t dropped) {
  Json report = {{"started_at_us", started_at_us},
                 {"at_us", at_us},
                 {"plan", plan_json(plan)},
                 {"waiting", waiting},
                 {"dropped", dropped}};
  add_row(report, tally.all);
  Json customers = Json::array(), prefixes = Json::array(), vendors = Json::array();
  for (const auto& [id, row] : tally.by_customer) {
    Json json = {{"customer_gateway", id}};
    add_row(json, row);
    customers.push_back(std::move(json));
  }
  for (const auto& [name, row] : tally.by_prefix) {
    Json json = {{"prefix", name.first}, {"area", name.second}};
    add_row(json, row);
    prefixes.push_back(std::move(json));
  }
  for (const auto& [id, row] : tally.by_vendor)
    vendors.push_back(vendor_json(id, row));
  Json moves = Json::array(), refusals = Json::array();
  for (const auto& [move, calls] : tally.moves) {
    moves.push_back({{"from", vendor_or_none(move.first)},
                     {"to", vendor_or_none(move.second)},
                     {"calls", calls}});
  }
  for (const auto& [reason, calls] : tally.refusals)
    refusals.push_back({{"reason", reason}, {"calls", calls}});
  report["customers"] = std::move(customers);
  report["vendors"] = std::move(vendors);
  report["prefixes"] = std::move(prefixes);
  report["moves"] = std::move(moves);
  report["refusals"] = std::move(refusals);
  return text(report);
}

Result<std::string> shadow_table(std::string_view given, std::size_t rows_max) {
  const Json report = config::json_or_null(given);
  if (!report.is_object() || !report.contains("moves") || !report.contains("customers"))
    return Error{ErrorCode::invalid_argument, "text was no report of a shadow"};

  const auto times = [&](const char* key) {
    return format_time_us(number(report, key)).substr(0, 19) + "Z";
  };
  std::string out = "shadow of " + times("started_at_us") + " to " + times("at_us") + ": " +
                    cell(report, "calls") + " calls, " + cell(report, "changed") +
                    " to another first vendor, " + cell(report, "no_route") + " without one, " +
                    cell(report, "gained") + " gained; " + cell(report, "waiting") + " waiting, " +
                    cell(report, "dropped") + " dropped, " + cell(report, "unpriced") +
                    " answered without a price\n\n";
  TextTable sums;
  sums.column("");
  add_call_columns(sums);
  add_call_row(sums, {"all"}, report);
  out += sums.to_string();

  const auto calls_table = [&](const char* title, const char* key,
                               const std::vector<std::pair<const char*, const char*>>& names) {
    const Json& rows = list(report, key);
    const auto shown = largest(rows, "calls", rows_max);
    TextTable table;
    for (const auto& [heading, unused] : names)
      table.column(heading);
    add_call_columns(table);
    for (const Json* row : shown) {
      std::vector<std::string> cells;
      for (const auto& [unused, name] : names)
        cells.push_back(cell(*row, name));
      add_call_row(table, std::move(cells), *row);
    }
    out += list_title(title, shown.size(), rows.size()) + table.to_string();
  };
  calls_table("customers", "customers", {{"CUSTOMER", "customer_gateway"}});
  calls_table("prefixes", "prefixes", {{"PREFIX", "prefix"}, {"AREA", "area"}});

  const Json& vendors = list(report, "vendors");
  const auto shown_vendors = largest(vendors, "live_first", rows_max);
  TextTable table;
  table.column("VENDOR");
  for (const char* title : {"FIRST", "SHADOW FIRST", "CARRIED", "SHADOW CARRIED"})
    table.column(title, right);
  table.column("CURRENCY");
  for (const char* title : {"COST", "SHADOW COST", "COST DIFF"})
    table.column(title, right);
  for (const Json* row : shown_vendors) {
    add_rows(table,
             {cell(*row, "vendor_gateway"), cell(*row, "live_first"), cell(*row, "shadow_first"),
              cell(*row, "live_carried"), cell(*row, "shadow_carried")},
             *row, {"live_cost", "shadow_cost", "cost_difference"});
  }
  out += list_title("vendors", shown_vendors.size(), vendors.size()) + table.to_string();

  const Json& moves = list(report, "moves");
  const auto shown_moves = largest(moves, "calls", rows_max);
  TextTable moved;
  moved.column("FROM");
  moved.column("TO");
  moved.column("CALLS", right);
  for (const Json* row : shown_moves)
    moved.row({cell(*row, "from"), cell(*row, "to"), cell(*row, "calls")});
  out +=
      list_title("first vendors that change", shown_moves.size(), moves.size()) + moved.to_string();
  for (const Json& refusal : list(report, "refusals"))
    out += "\nno vendor: " + printable_text(cell(refusal, "reason")) + " " + cell(refusal, "calls");
  if (!list(report, "refusals").empty()) out += "\n";
  return out;
}

}  // namespace tandem
