// `correct` and what of `report` changes charges: requests to the running switch, whose ledger
// moves the money.
#include <cstdio>
#include <string>

#include "api_client.hpp"
#include "commands.hpp"
#include "json_text.hpp"

namespace {

/// Sends the body and prints the answer.
int post(const Options& options, const std::string& target, const std::string& body) {
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  if (!config->admin_listen) {
    complain(options.text("config") + ":/admin: the switch has no admin API to ask");
    return status_usage;
  }
  ApiClient client(*config);
  const auto answer = client.ask("POST", target, "application/json", body);
  if (!answer) {
    complain(client.failure());
    return status_failed;
  }
  if (answer->status >= 300) {
    complain("the switch refused: " + answer->body.substr(0, answer->body.find('\n')));
    return answer->status == 400 ? status_usage : status_failed;
  }
  std::fputs(answer->body.c_str(), stdout);
  return status_good;
}

void add(std::string& object, const std::string& key, const std::string& value) {
  object += (object.size() > 1 ? ", \"" : "\"") + key + "\": " + value;
}

/// What the options say of one side, an object or "". `prefix`: of its options. False: stderr says
/// what is wrong.
bool read_side(const Options& options, const std::string& prefix, std::string& side) {
  std::string object = "{";
  if (options.has(prefix + "charge"))
    add(object, "charge", json_quoted(options.text(prefix + "charge")));
  if (options.has(prefix + "billed-s")) {
    const auto seconds = options.number(prefix + "billed-s");
    if (!seconds) return false;
    add(object, "billed_time_s", std::to_string(*seconds));
  }
  if (options.has(prefix + "deck"))
    add(object, "rate_deck", json_quoted(options.text(prefix + "deck")));
  if (object.size() > 1) side = object + "}";
  return true;
}

}  // namespace

int correct(const Options& options) {
  if (!options.allow({"config", "charge", "billed-s", "deck", "vendor-charge", "vendor-billed-s",
                      "vendor-deck", "agent-charge", "agent-billed-s", "agent-deck", "reason",
                      "author", "key", "dry-run"},
                     {"config", "reason"}, {"the id of a record"})) {
    return status_usage;
  }
  std::string body = "{";
  for (const auto& [name, prefix] :
       {std::pair("customer", ""), std::pair("vendor", "vendor-"), std::pair("agent", "agent-")}) {
    std::string side;
    if (!read_side(options, prefix, side)) return status_usage;
    if (!side.empty()) add(body, name, side);
  }
  for (const auto& [key, option] :
       {std::pair("reason", "reason"), std::pair("author", "author"), std::pair("id", "key")}) {
    if (options.has(option)) add(body, key, json_quoted(options.text(option)));
  }
  if (options.has("dry-run")) add(body, "dry_run", "true");
  return post(options, "/api/v1/cdrs/" + url_quoted(options.operand(0)) + "/corrections",
              body + "}");
}

int apply_rerate(const Options& options) {
  if (!options.has("reason")) {
    complain("--apply needs --reason");
    return status_usage;
  }
  std::string target = "/api/v1/reports/rerate?deck=" + url_quoted(options.text("deck"));
  for (const char* name : {"side", "account", "since", "until"}) {
    if (options.has(name)) target += std::string("&") + name + "=" + url_quoted(options.text(name));
  }
  std::string body = "{";
  add(body, "reason", json_quoted(options.text("reason")));
  if (options.has("author")) add(body, "author", json_quoted(options.text("author")));
  add(body, "dry_run", options.has("dry-run") ? "true" : "false");
  return post(options, target, body + "}");
}
