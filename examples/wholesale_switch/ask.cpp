// `calls`, `gateways`, `accounts`: questions to the running switch over its admin API.
#include <cstdio>
#include <string>

#include "api_client.hpp"
#include "commands.hpp"

int ask(const Options& options) {
  if (!options.allow({"config"}, {"config"})) return status_usage;
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  if (!config->admin_listen) {
    complain(options.text("config") + ":/admin: the switch has no admin API to ask");
    return status_usage;
  }
  ApiClient client(*config);
  const auto answer = client.ask("GET", "/api/v1/" + options.command());
  if (!answer) {
    complain(client.failure());
    return status_failed;
  }
  if (answer->status != 200) {
    complain("the switch refused: " + answer->body.substr(0, answer->body.find('\n')));
    return status_failed;
  }
  std::fputs(answer->body.c_str(), stdout);
  return status_good;
}
