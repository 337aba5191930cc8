// The answer of explain() for people.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text_table.hpp"
#include "switch/config_reader_json.hpp"
#include "tandem/switch.hpp"

namespace tandem {

namespace {

using config::Json;
constexpr auto right = TextTable::Align::right;

/// A value in one cell: "-" for what is not known.
std::string cell(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string cell(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? "-" : cell(*found);
}

/// A prefix; the one that matches every number has no characters to show.
std::string prefix_cell(const Json& object) {
  const std::string prefix = cell(object, "prefix");
  return prefix.empty() ? "(any)" : prefix;
}

std::string number_cell(const Json& stage, const char* before_key, const char* after_key) {
  const std::string before = cell(stage, before_key), after = cell(stage, after_key);
  if (before == after) return after;
  return before.empty() ? "-> " + after : before + " -> " + after;
}

/// "0.30/60s (447)": the price, of how many seconds, by which prefix of the deck.
std::string rate_cell(const Json& rate) {
  if (!rate.is_object()) return "-";
  return cell(rate, "price") + "/" + cell(rate, "per_s") + "s " +
         (prefix_cell(rate) == "(any)" ? "(any)" : "(" + prefix_cell(rate) + ")");
}
std::string rate_cell(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? "-" : rate_cell(*found);
}

/// "83% of 12, 45s": answer ratio, attempts, average talk.
std::string quality_cell(const Json& quality) {
  if (!quality.is_object()) return "-";
  return cell(quality, "answer_percent") + "% of " + cell(quality, "attempts") + ", " +
         cell(quality, "average_talk_s") + "s";
}

std::string why_cell(const Json& excluded) {
  std::string why = cell(excluded, "reason");
  if (!excluded.contains("rule")) return why;
  why += " (" + cell(excluded, "rule");
  if (excluded.contains("entry")) why += " " + cell(excluded, "entry");
  why += ")";
  return why;
}

std::string titled(std::string key) {
  std::transform(key.begin(), key.end(), key.begin(), [](char c) {
    return c == '_' ? ' ' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  return key;
}

const Json& list(const Json& answer, const char* key) {
  static const Json none = Json::array();
  const auto found = answer.find(key);
  return found != answer.end() && found->is_array() ? *found : none;
}

std::string headline(const Json& answer) {
  const std::string reject = cell(answer, "reject");
  const std::size_t vendors = list(answer, "candidates").size();
  std::string text = cell(answer, "caller") + " to " + cell(answer, "callee");
  if (cell(answer, "callee_billing") != cell(answer, "callee"))
    text += " (billed as " + cell(answer, "callee_billing") + ")";
  text += " from " + cell(answer, "customer_gateway") + ", rate " + rate_cell(answer, "rate");
  if (const auto agent = answer.find("agent"); agent != answer.end() && agent->is_object())
    text += ", agent " + cell(*agent, "account") + ", rate " + rate_cell(*agent, "rate");
  std::string targets;
  const auto forward = answer.find("forward");
  if (forward != answer.end()) {
    for (const Json& number : list(*forward, "targets"))
      targets += (targets.empty() ? " to " : ", ") + number.get<std::string>();
    targets = ": forwarded, " + cell(*forward, "reason") +
              (cell(*forward, "method") == "simultaneous" ? ", at once," : ",") + targets;
  }
  text += reject == "-" && !targets.empty() ? targets
          : reject == "-"
              ? ": " + std::to_string(vendors) + (vendors == 1 ? " vendor" : " vendors") + " to try"
              : ": refused, " + reject;
  return printable_text(text) + "\n";
}

/// With the rules that made it so.
std::string verdict_cell(const Json& stage) {
  std::string text = cell(stage, "verdict");
  std::string rules;
  for (const Json& rule : list(stage, "rules")) {
    if (rule.is_string()) rules += (rules.empty() ? "" : ", ") + rule.get<std::string>();
  }
  return rules.empty() ? text : text + " (" + rules + ")";
}

std::string stages_table(const Json& answer) {
  TextTable table;
  for (const char* title : {"STAGE", "CALLER", "CALLEE", "VERDICT"})
    table.column(title);
  for (const Json& stage : list(answer, "stages")) {
    table.row({cell(stage, "name"), number_cell(stage, "caller_before", "caller_after"),
               number_cell(stage, "callee_before", "callee_after"), verdict_cell(stage)});
  }
  return table.to_string();
}

/// The keys of the order have a column each, from left to right as they are compared.
class VendorTable {
 public:
  explicit VendorTable(const Json& answer) {
    find_keys(answer);
    table_.column("RANK", right);
    table_.column("VENDOR");
    table_.column("PREFIX");
    for (const std::string& key : keys_)
      table_.column(titled(key), right);
    table_.column("RATE");
    table_.column("PROFIT %", right);
    table_.column("QUALITY");
    table_.column("CALLER OUT");
    table_.column("CALLEE OUT");
    table_.column("PASSED OVER");
    for (const Json& vendor : list(answer, "candidates"))
      add(vendor, "");
    for (const Json& vendor : list(answer, "excluded"))
      add(vendor, why_cell(vendor));
  }
  [[nodiscard]] std::string to_string() const { return table_.to_string(); }

 private:
  void find_keys(const Json& answer) {
    for (const char* vendors : {"candidates", "excluded"}) {
      for (const Json& vendor : list(answer, vendors)) {
        const auto keys = vendor.find("keys");
        if (keys == vendor.end() || !keys->is_object()) continue;
        for (const auto& key : keys->items())
          keys_.push_back(key.key());
        return;  // the keys of one answer are the same
      }
    }
  }

  void add(const Json& vendor, std::string passed_over) {
    std::vector<std::string> cells = {
        cell(vendor, "rank"),
        cell(vendor, "gateway") + (vendor.contains("redirect_server") ? " (decides)" : ""),
        prefix_cell(vendor)};
    const auto keys = vendor.find("keys");
    for (const std::string& key : keys_)
      cells.push_back(keys == vendor.end() ? "-" : cell(*keys, key.c_str()));
    cells.push_back(rate_cell(vendor, "vendor_rate"));
    cells.push_back(cell(vendor, "profit_percent"));
    const auto quality = vendor.find("quality");
    cells.push_back(quality == vendor.end() ? "-" : quality_cell(*quality));
    cells.push_back(cell(vendor, "caller_out"));
    cells.push_back(cell(vendor, "callee_out"));
    cells.push_back(std::move(passed_over));
    table_.row(std::move(cells));
  }

  std::vector<std::string> keys_;
  TextTable table_;
};

}  // namespace

Result<std::string> explain_table(std::string_view answer) {
  const Json parsed = config::json_or_null(answer);
  if (!parsed.is_object() || !parsed.contains("stages"))
    return Error{ErrorCode::invalid_argument, "text was no answer of explain"};
  return headline(parsed) + "\n" + stages_table(parsed) + "\n" + VendorTable(parsed).to_string();
}

}  // namespace tandem
