// `correct` and what of `report` changes charges: requests to the running switch, whose ledger
// moves the money.
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include "api_client.hpp"
#include "commands.hpp"
#include "json_text.hpp"

namespace {

constexpr auto poll_interval = std::chrono::milliseconds(500);
constexpr int polls_a_line = 20;       // between two lines about the progress
constexpr int failed_polls_max = 120;  // in a row, a minute

/// Nothing: stderr says why.
std::optional<ApiClient> client_of(const Options& options) {
  const auto config = load_config(options.text("config"));
  if (!config) return std::nullopt;
  if (!config->admin_listen) {
    complain(options.text("config") + ":/admin: the switch has no admin API to ask");
    return std::nullopt;
  }
  return ApiClient(*config);
}

/// 0: it is good; else what the program ends with, and stderr says why.
int status_of(const ApiClient& client, const std::optional<tandem::AdminAnswer>& answer) {
  if (!answer) {
    complain(client.failure());
    return status_failed;
  }
  if (answer->status < 300) return status_good;
  complain("the switch refused: " + answer->body.substr(0, answer->body.find('\n')));
  return answer->status == 400 ? status_usage : status_failed;
}

/// Sends the body and prints the answer.
int post(const Options& options, const std::string& target, const std::string& body) {
  auto client = client_of(options);
  if (!client) return status_usage;
  const auto answer = client->ask("POST", target, "application/json", body);
  if (const int status = status_of(*client, answer); status != status_good) return status;
  std::fputs(answer->body.c_str(), stdout);
  return status_good;
}

/// What follows `"key":` in a flat object of the switch, up to the next comma or the end. A text
/// comes without its quotes, and without the backslashes in it.
std::string value_of(const std::string& object, const std::string& key) {
  const std::string name = "\"" + key + "\":";
  const std::size_t found = object.find(name);
  if (found == std::string::npos) return {};
  std::size_t at = found + name.size();
  if (object[at] != '"') return object.substr(at, object.find_first_of(",}", at) - at);
  std::string text;
  while (++at < object.size() && object[at] != '"') {
    if (object[at] == '\\' && at + 1 < object.size()) ++at;
    text += object[at];
  }
  return text;
}

/// What has become of a job. A question that fails says nothing of it: it is put again for a while.
std::optional<tandem::AdminAnswer> ask_for_job(ApiClient& client, const std::string& id) {
  for (int failed = 0;;) {
    std::this_thread::sleep_for(poll_interval);
    auto answer = client.ask("GET", "/api/v1/rerate-jobs/" + id);
    const bool has_failed = !answer || answer->status >= 500;
    if (!has_failed || ++failed == failed_polls_max) return answer;
  }
}

/// Begins the job and asks for it until it is over. The switch goes on with it when this program
/// is ended.
int run_job(const Options& options, const std::string& target, const std::string& body) {
  auto client = client_of(options);
  if (!client) return status_usage;
  auto answer = client->ask("POST", target, "application/json", body);
  if (const int status = status_of(*client, answer); status != status_good) return status;
  const std::string id = value_of(answer->body, "id");
  for (int polls = 0;; ++polls) {
    const std::string& job = answer->body;
    if (const std::string state = value_of(job, "state"); state != "running") {
      if (state != "done") {
        complain("the re-rating " + (state == "failed" ? "failed" : "was " + state) + " after " +
                 value_of(job, "corrected") + " corrections: " + value_of(job, "failure"));
        return status_failed;
      }
      const std::size_t result = job.find("\"result\":");  // the last member
      std::printf("%s\n", job.substr(result + 9, job.rfind('}') - result - 9).c_str());
      return status_good;
    }
    if (polls % polls_a_line == 0) {
      std::fprintf(stderr, "re-rating %s: %s records, %s corrected\n", id.c_str(),
                   value_of(job, "looked_at").c_str(), value_of(job, "corrected").c_str());
    }
    answer = ask_for_job(*client, id);
    if (const int status = status_of(*client, answer); status != status_good) {
      complain("re-rating " + id + " may go on: GET /api/v1/rerate-jobs/" + id + " tells");
      return status;
    }
  }
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
  if (options.has("settled")) target += "&settled=true";
  std::string body = "{";
  add(body, "reason", json_quoted(options.text("reason")));
  if (options.has("author")) add(body, "author", json_quoted(options.text("author")));
  add(body, "dry_run", options.has("dry-run") ? "true" : "false");
  return run_job(options, target, body + "}");
}
