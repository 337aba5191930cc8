// `trace`: call traces of the running switch, over its admin API.
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "api_client.hpp"
#include "commands.hpp"
#include "json_text.hpp"

namespace {

/// Nothing: stderr says why, and `status` is the exit status.
std::optional<std::string> ask_switch(const Options& options, std::string_view method,
                                      const std::string& target, const std::string& body,
                                      int& status) {
  const auto config = load_config(options.text("config"));
  status = status_usage;
  if (!config) return std::nullopt;
  if (!config->admin_listen) {
    complain(options.text("config") + ":/admin: the switch has no admin API to ask");
    return std::nullopt;
  }
  ApiClient client(*config);
  auto answer = client.ask(method, target, body.empty() ? "" : "application/json", body);
  if (!answer) {
    complain(client.failure());
    status = status_failed;
    return std::nullopt;
  }
  if (answer->status >= 300) {
    complain("the switch refused: " + answer->body.substr(0, answer->body.find('\n')));
    status = answer->status == 400 ? status_usage : status_failed;
    return std::nullopt;
  }
  status = status_good;
  return std::move(answer->body);
}

int ask_and_print(const Options& options, std::string_view method, const std::string& target,
                  const std::string& body = {}) {
  int status = status_good;
  const auto answer = ask_switch(options, method, target, body, status);
  if (answer) (void)std::fwrite(answer->data(), 1, answer->size(), stdout);
  return status;
}

int start(const Options& options) {
  if (!options.allow({"config", "caller", "callee", "gateway", "source", "phone", "duration",
                      "calls", "bytes", "hep", "memo"},
                     {"config"}, {"start"}))
    return status_usage;
  std::string body;
  const auto add = [&body](const std::string& key, const std::string& value) {
    body += (body.empty() ? "{" : ",") + json_quoted(key) + ":" + value;
  };
  for (const char* key : {"caller", "callee", "gateway", "source", "phone", "memo"}) {
    if (options.has(key)) add(key, json_quoted(options.text(key)));
  }
  for (const auto& [name, key] : {std::pair<const char*, const char*>{"duration", "duration_s"},
                                  {"calls", "calls"},
                                  {"bytes", "bytes"}}) {
    if (!options.has(name)) continue;
    const auto number = options.number(name);
    if (!number) return status_usage;
    add(key, std::to_string(*number));
  }
  if (options.has("hep")) add("hep", "true");
  return ask_and_print(options, "POST", "/api/v1/traces", body.empty() ? "{}" : body + "}");
}

/// The calls of a trace, or one of them.
int show(const Options& options) {
  const bool is_call = !options.operand_or(2, "").empty();
  std::string format;
  if (!options.allow({"config", "format", "output"}, {"config"},
                     is_call ? std::vector<std::string>{"show", "TRACE", "CALL"}
                             : std::vector<std::string>{"show", "TRACE"}) ||
      !read_format(options, {"ladder", "messages", "json", "pcap"}, format))
    return status_usage;
  std::string target = "/api/v1/traces/" + url_quoted(options.operand(1)) + "/calls";
  if (is_call) {
    target += "/" + url_quoted(options.operand(2)) + "?format=" + format;
  } else if (options.has("format") || options.has("output")) {
    complain("--format and --output are for one call: trace show TRACE CALL");
    return status_usage;
  }
  if (!options.has("output")) return ask_and_print(options, "GET", target);
  int status = status_good;
  const auto answer = ask_switch(options, "GET", target, "", status);
  if (!answer) return status;
  std::ofstream file(options.text("output"), std::ios::binary);
  file.write(answer->data(), static_cast<std::streamsize>(answer->size()));
  file.close();
  if (file) return status_good;
  complain(options.text("output") + " could not be written");
  return status_failed;
}

}  // namespace

int trace(const Options& options) {
  const std::string what = options.operand_or(0, "");
  if (what == "start") return start(options);
  if (what == "show") return show(options);
  if (what == "list") {
    if (!options.allow({"config"}, {"config"}, {"list"})) return status_usage;
    return ask_and_print(options, "GET", "/api/v1/traces");
  }
  if (what == "stop" || what == "remove") {
    if (!options.allow({"config"}, {"config"}, {what, "TRACE"})) return status_usage;
    const std::string target = "/api/v1/traces/" + url_quoted(options.operand(1));
    return what == "stop" ? ask_and_print(options, "POST", target + "/stop")
                          : ask_and_print(options, "DELETE", target);
  }
  complain("\"" + what + "\" is not one of start, list, show, stop, remove");
  return status_usage;
}
