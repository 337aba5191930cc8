// `dispute`: marks on records that keep their days, beside the running switch or without one.
#include <cstdio>
#include <string>
#include <utility>

#include "commands.hpp"

namespace {

int list(const Options& options) {
  if (!options.allow({"config", "record", "day", "open", "before", "limit"}, {"config"}, {"list"}))
    return status_usage;
  tandem::DisputeQuery query;
  query.day = options.text("day");
  if (options.has("open")) {
    query.is_open = options.text("open") == "yes";
    if (!*query.is_open && options.text("open") != "no") {
      complain("--open: \"" + options.text("open") + "\" is neither yes nor no");
      return status_usage;
    }
  }
  std::uint64_t before = 0, limit = query.limit;
  for (const auto& [name, out] : {std::pair("record", &query.record_id),
                                  std::pair("before", &before), std::pair("limit", &limit)}) {
    if (!options.has(name)) continue;
    const auto number = options.number(name);
    if (!number || *number < 1) return status_usage;
    *out = static_cast<std::uint64_t>(*number);
  }
  if (before != 0) query.before_id = before;
  query.limit = static_cast<std::size_t>(limit);
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  const auto found = tandem::query_disputes(*config, query);
  if (!found) return failed(found.error());
  for (const tandem::Dispute& dispute : *found)
    std::printf("%s\n", tandem::to_json(dispute).c_str());
  return status_good;
}

}  // namespace

int dispute(const Options& options) {
  const std::string word = options.operand_or(0, "");
  if (word == "list") return list(options);
  if (word != "begin" && word != "resolve") {
    complain("dispute needs one of begin, resolve, list");
    return status_usage;
  }
  const bool is_over = word == "resolve";
  std::vector<std::string> known = {"config", "reason", "author"};
  if (!is_over) known.emplace_back("day");
  if (!options.allow(known, {"config", "reason"}, {word, "RECORD_ID"})) return status_usage;
  tandem::DisputeRequest request;
  const std::string& record = options.operand(1);
  if (record.empty() || record.size() > 19 ||
      record.find_first_not_of("0123456789") != std::string::npos) {
    complain("\"" + record + "\" is no id of a record");
    return status_usage;
  }
  request.record_id = std::stoull(record);
  request.reason = options.text("reason");
  request.author = options.text("author");
  request.day = options.text("day");
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  const auto made = is_over ? tandem::resolve_dispute(*config, request)
                            : tandem::dispute_record(*config, request);
  if (!made) return failed(made.error());
  std::printf("%s\n", tandem::to_json(*made).c_str());
  return status_good;
}
