// `calls`, `gateways`, `phones`, `accounts`, `bans`, `drain`, `recording`, `shadow`: what is asked
// of the running switch over its admin API.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "api_client.hpp"
#include "commands.hpp"

namespace {

/// Asks and prints; "table" is made of a shadow's report.
int ask_and_print(const Options& options, std::string_view method, const std::string& target,
                  const std::string& body, bool is_table) {
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  if (!config->admin_listen) {
    complain(options.text("config") + ":/admin: the switch has no admin API to ask");
    return status_usage;
  }
  ApiClient client(*config);
  const auto answer = client.ask(method, target, body.empty() ? "" : "application/json", body);
  if (!answer) {
    complain(client.failure());
    return status_failed;
  }
  if (answer->status >= 300) {
    complain("the switch refused: " + answer->body.substr(0, answer->body.find('\n')));
    return answer->status == 400 ? status_usage : status_failed;
  }
  if (!is_table) {
    std::fputs(answer->body.c_str(), stdout);
    return status_good;
  }
  std::size_t rows_max = 20;
  if (options.has("limit")) {
    const auto limit = options.number("limit");
    if (!limit) return status_usage;
    rows_max = static_cast<std::size_t>(std::max<std::int64_t>(*limit, 0));
  }
  const auto table = tandem::shadow_table(answer->body, rows_max);
  if (!table) {
    complain(table.error().message);
    return status_failed;
  }
  std::fputs(table->c_str(), stdout);
  return status_good;
}

/// The text as a JSON string.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

/// The plan of --file, or the one that --deck and --version make. False: stderr says why.
bool read_plan(const Options& options, std::string& plan) {
  if (options.has("file") == options.has("deck")) {
    complain("shadow start needs --file, or --deck with --version");
    return false;
  }
  if (options.has("deck")) {
    if (!options.number("version")) return false;
    plan = "{\"decks\": [{\"id\": " + quoted(options.text("deck")) +
           ", \"version\": " + options.text("version") + "}]}";
    return true;
  }
  std::ifstream file(options.text("file"), std::ios::binary);
  std::ostringstream read;
  if (file) read << file.rdbuf();
  plan = std::move(read).str();
  if (file && !plan.empty()) return true;
  complain(options.text("file") + " could not be read, or is empty");
  return false;
}

}  // namespace

int ask(const Options& options) {
  if (!options.allow({"config"}, {"config"})) return status_usage;
  return ask_and_print(options, "GET", "/api/v1/" + options.command(), "", false);
}

int drain(const Options& options) {
  if (!options.allow({"config"}, {"config"})) return status_usage;
  return ask_and_print(options, "POST", "/api/v1/drain", "", false);
}

int bans(const Options& options) {
  if (options.operand_or(0, "").empty()) return ask(options);
  if (!options.allow({"config"}, {"config"}, {"lift", "USER@ADDRESS or ADDRESS"}))
    return status_usage;
  if (options.operand(0) != "lift") {
    complain("\"" + options.operand(0) + "\" is not lift");
    return status_usage;
  }
  return ask_and_print(options, "DELETE", "/api/v1/bans/" + options.operand(1), "", false);
}

int phone_notices(const Options& options) {
  if (options.operand_or(0, "").empty()) return ask(options);
  if (!options.allow({"config"}, {"config"}, {"send"})) return status_usage;
  if (options.operand(0) != "send") {
    complain("\"" + options.operand(0) + "\" is not send");
    return status_usage;
  }
  return ask_and_print(options, "POST", "/api/v1/phone-notices", "", false);
}

int recording(const Options& options) {
  const bool is_repair = options.operand_or(0, "") == "repair";
  if (is_repair) {
    if (!options.allow({}, {}, {"repair", "FILE"})) return status_usage;
    const auto changed = tandem::repair_recording(options.operand(1));
    if (!changed) return failed(changed.error());
    std::puts(*changed ? "repaired" : "nothing to repair");
    return status_good;
  }
  if (!options.allow({"config"}, {"config"}, {"start, stop or repair", "call or FILE"}))
    return status_usage;
  const std::string& what = options.operand(0);
  if (what != "start" && what != "stop") {
    complain("\"" + what + "\" is not one of start, stop, repair");
    return status_usage;
  }
  return ask_and_print(options, what == "start" ? "PUT" : "DELETE",
                       "/api/v1/calls/" + options.operand(1) + "/recording", "", false);
}

int shadow(const Options& options) {
  std::string format;
  if (!options.allow({"config", "file", "deck", "version", "format", "table", "limit"}, {"config"},
                     {"start, report or stop"}) ||
      !read_format(options, {"table", "json"}, format)) {
    return status_usage;
  }
  const std::string& what = options.operand(0);
  std::string method, plan;
  if (what == "start") {
    method = "POST";
    if (!read_plan(options, plan)) return status_usage;
  } else if (what == "report") {
    method = "GET";
  } else if (what == "stop") {
    method = "DELETE";
  } else {
    complain("\"" + what + "\" is not one of start, report, stop");
    return status_usage;
  }
  return ask_and_print(options, method, "/api/v1/shadow", plan, format == "table");
}
