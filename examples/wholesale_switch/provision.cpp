// `import`, `export`, `remove`, `deck`: provisioned objects, of the running switch over its admin
// API, or straight in the database when none runs.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "api_client.hpp"
#include "commands.hpp"

namespace {

constexpr std::size_t progress_bytes_min = std::size_t{4} << 20;  // below this nobody waits long

std::string encoded(std::string_view text) {
  std::string out;
  for (const unsigned char c : text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
        c == '.' || c == '_') {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += digits[c >> 4];
      out += digits[c & 15];
    }
  }
  return out;
}

/// Says on stderr how far a long step is, at each tenth of it.
class ProgressLines {
 public:
  explicit ProgressLines(std::string what) : what_(std::move(what)) {}
  void operator()(std::size_t done, std::size_t all) {
    if (all < progress_bytes_min || done * 10 / all == tenths_) return;
    tenths_ = done * 10 / all;
    std::fprintf(stderr, "%s: %zu0 %% of %zu MB\n", what_.c_str(), tenths_, all >> 20);
  }

 private:
  const std::string what_;
  std::size_t tenths_ = 0;
};

/// Where the objects are: behind the API of a running switch, or in the database.
class Objects {
 public:
  /// Nothing: neither was possible, and stderr says why.
  static std::optional<Objects> reach(const tandem::SwitchConfig& config) {
    Objects objects;
    if (config.admin_listen) {
      objects.api_.emplace(config);
      if (objects.api_->ask("GET", "/healthz")) return objects;
      if (objects.api_->is_reachable()) {
        complain(objects.api_->failure());
        return std::nullopt;
      }
      objects.api_.reset();
    }
    auto opened = tandem::Provisioning::open(config);
    if (!opened) {
      complain(opened.error().message +
               (opened.error().code == tandem::ErrorCode::wrong_state
                    ? "; it has no admin API through which its objects could be reached"
                    : ""));
      return std::nullopt;
    }
    objects.database_.emplace(std::move(*opened));
    return objects;
  }

  /// Whether a running switch has the objects.
  [[nodiscard]] bool are_of_a_switch() const { return api_.has_value(); }

  /// Puts through a running switch and says on stderr how far that is, until it is over.
  std::optional<tandem::AdminAnswer> put_and_watch(const std::string& target,
                                                   std::string_view content_type,
                                                   std::string_view body) {
    const char mark = target.find('?') == std::string::npos ? '?' : '&';
    auto answer = ask("PUT", target + mark + "background=true", content_type, body);
    std::string said;
    while (answer) {
      const auto state = tandem::import_state_of(*answer);
      if (!state) return answer;  // refused before it began
      if (state->is_over) return state->answer;
      say_step(*state, said);
      std::this_thread::sleep_for(look_again_after);
      answer = ask("GET", state->target);
    }
    return answer;
  }

  std::optional<tandem::AdminAnswer> ask(std::string_view method, const std::string& target,
                                         std::string_view content_type = {},
                                         std::string_view body = {}) {
    if (database_) return tandem::answer_offline(*database_, method, target, content_type, body);
    ProgressLines progress("sent");
    auto answer = api_->ask(method, target, content_type, body, std::ref(progress));
    if (!answer) complain(api_->failure());
    return answer;
  }

 private:
  static constexpr std::chrono::milliseconds look_again_after{200};

  Objects() = default;

  /// A line for each step and, of the one that reads rates, each tenth. `said`: the last line.
  static void say_step(const tandem::ImportState& state, std::string& said) {
    std::string line = "the switch: " + state.step;
    if (state.step == "reading" && state.total_bytes != 0) {
      line += " " + std::to_string(state.done_bytes * 10 / state.total_bytes) + "0 % of " +
              std::to_string(state.total_bytes >> 20) + " MB";
    }
    if (line == said) return;
    said = std::move(line);
    std::fprintf(stderr, "%s\n", said.c_str());
  }

  std::optional<ApiClient> api_;
  std::optional<tandem::Provisioning> database_;
};

/// Says what is wrong, a line each, as of `file` when it is about one. The exit status.
int refused(const tandem::AdminAnswer& answer, const std::string& file = {}) {
  for (const auto& error : tandem::errors_of(answer)) {
    if (file.empty()) {
      complain(error.message);
    } else {
      std::fprintf(stderr, "%s%s%s: %s\n", file.c_str(), error.pointer.empty() ? "" : ":",
                   error.pointer.c_str(), error.message.c_str());
    }
  }
  return answer.status == 400 ? status_usage : status_failed;
}

bool is_csv(const std::string& file) { return file.ends_with(".csv"); }

/// Whether it names a list; else stderr says what does.
bool is_kind(const std::string& kind, std::string known) {
  for (const std::string& each : tandem::provision_kinds()) {
    if (kind == each) return true;
    known += ", " + each;
  }
  if (kind == "gateways") return true;
  complain("\"" + kind + "\" is not one of " + known);
  return false;
}

/// Target of a list or of the rates of a deck. "": stderr says what is missing.
std::string target_of(const Options& options) {
  const std::string& kind = options.operand(0);
  if (kind != "rates") {
    if (!is_kind(kind, "rates, gateways")) return {};
    if (!options.has("deck")) return "/api/v1/" + encoded(kind);
    complain("--deck is for rates only");
    return {};
  }
  if (options.text("deck").empty()) {
    complain(options.command() + " rates needs --deck");
    return {};
  }
  return "/api/v1/rate_decks/" + encoded(options.text("deck")) + "/rates";
}

bool read_file(const std::string& path, std::string& text) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream read;
  if (file) read << file.rdbuf();
  if (!file || read.bad()) {
    complain(path + " could not be read");
    return false;
  }
  text = std::move(read).str();
  return true;
}

/// --valid-from and its kin as parameters of a query. False: one is no time.
bool read_query(const Options& options, std::string& query) {
  const auto add = [&query](const char* key, std::string_view value) {
    query += (query.empty() ? "?" : "&") + std::string(key) + "=" + encoded(value);
  };
  if (options.has("dry-run")) add("dry_run", "true");
  if (options.has("memo")) add("memo", options.text("memo"));
  if (options.has("valid-from")) {
    const auto time = tandem::parse_time_us(options.text("valid-from"));
    if (!time) {
      complain("--valid-from: " + time.error().message);
      return false;
    }
    add("valid_from", tandem::format_time_us(*time));
  }
  return true;
}

/// `is_watched`: short ones too.
int put(Objects& objects, const std::string& file, const std::string& target,
        std::string_view content_type, const std::string& text, bool is_watched) {
  const bool is_long = is_watched || text.size() >= progress_bytes_min;
  const auto answer = is_long && objects.are_of_a_switch()
                          ? objects.put_and_watch(target, content_type, text)
                          : objects.ask("PUT", target, content_type, text);
  if (!answer) return status_failed;
  if (answer->status >= 300) return refused(*answer, file);
  std::fputs(answer->body.c_str(), stdout);
  return status_good;
}

/// Puts a file; the rows of a deck are looked at here first, so that errors name the file.
int put_file(Objects& objects, const std::string& file, const std::string& target, bool has_rates,
             bool is_watched) {
  std::string text;
  if (!read_file(file, text)) return status_failed;
  if (has_rates && is_csv(file)) {
    ProgressLines progress("read");
    const auto rates =
        tandem::parse_deck_csv(text, file, [&](std::size_t done) { progress(done, text.size()); });
    if (!rates) {
      complain(rates.error().message);
      return status_usage;
    }
  }
  return put(objects, file, target, is_csv(file) ? "text/csv" : "application/json", text,
             is_watched);
}

/// Turns a price list of a partner into the CSV of a deck. Nothing: stderr says what is wrong, row
/// by row, and `status` what that means. `preview`: what was found, as JSON.
std::optional<std::string> read_price_list(const Options& options, std::string& preview,
                                           int& status) {
  std::string text;
  status = status_failed;
  if (!read_file(options.operand(1), text)) return std::nullopt;
  status = status_usage;
  const std::string words = options.text("layout");
  const auto layout = tandem::parse_deck_layout(words == "auto" ? "" : words);
  if (!layout) {
    complain("--layout: " + layout.error().message);
    return std::nullopt;
  }
  auto import = tandem::import_deck(text, *layout);
  if (!import) {
    complain(options.operand(1) + ": " + import.error().message);
    return std::nullopt;
  }
  preview = tandem::to_json(*import) + "\n";
  for (const auto& fault : import->faults) {
    std::fprintf(stderr, "%s row %zu: %s%s%s%s\n", options.operand(1).c_str(), fault.row,
                 fault.column.empty() ? "" : "column \"", fault.column.c_str(),
                 fault.column.empty() ? "" : "\": ", fault.message.c_str());
  }
  if (import->fault_count > import->faults.size())
    complain(std::to_string(import->fault_count) + " rows were wrong in all");
  if (!import->ok()) return std::nullopt;
  tandem::RateDeck::Builder builder(options.text("deck"));
  for (tandem::Rate& rate : import->rates) {
    if (auto added = builder.add(std::move(rate)); !added) {
      complain(options.operand(1) + ": " + added.error().message);
      return std::nullopt;
    }
  }
  const auto deck = builder.build();
  if (deck) return tandem::to_csv(*deck);
  complain(options.operand(1) + ": " + deck.error().message);
  return std::nullopt;
}

int print(const std::optional<tandem::AdminAnswer>& answer) {
  if (!answer) return status_failed;
  if (answer->status >= 300) return refused(*answer);
  std::fputs(answer->body.c_str(), stdout);
  return status_good;
}

}  // namespace

int import_objects(const Options& options) {
  if (!options.allow({"config", "deck", "dry-run", "valid-from", "memo", "layout", "progress"},
                     {"config"}, {"KIND", "FILE"})) {
    return status_usage;
  }
  const std::string target = target_of(options);
  std::string query;
  if (target.empty() || !read_query(options, query)) return status_usage;
  std::optional<std::string> list;
  if (options.has("layout")) {
    if (options.operand(0) != "rates") {
      complain("--layout is for rates only");
      return status_usage;
    }
    std::string preview;
    int status = status_good;
    list = read_price_list(options, preview, status);
    if (options.has("dry-run")) std::fputs(preview.c_str(), stdout);
    if (!list) return status;
    if (options.has("dry-run")) return status_good;
  }
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  auto objects = Objects::reach(*config);
  if (!objects) return status_failed;
  const bool is_watched = options.has("progress");
  if (list) return put(*objects, options.operand(1), target + query, "text/csv", *list, is_watched);
  return put_file(*objects, options.operand(1), target + query, options.operand(0) == "rates",
                  is_watched);
}

int export_objects(const Options& options) {
  if (!options.allow({"config", "deck"}, {"config"}, {"KIND", "FILE"})) return status_usage;
  const std::string target = target_of(options);
  if (target.empty()) return status_usage;
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  auto objects = Objects::reach(*config);
  if (!objects) return status_failed;
  const std::string& file = options.operand(1);
  const auto answer = objects->ask("GET", target + (is_csv(file) ? "?format=csv" : "?format=json"));
  if (file == "-" || !answer || answer->status != 200) return print(answer);
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << answer->body;
  out.close();
  if (out) return status_good;
  complain(file + " could not be written");
  return status_failed;
}

int remove_object(const Options& options) {
  if (!options.allow({"config"}, {"config"}, {"KIND", "ID"}) ||
      !is_kind(options.operand(0), "gateways")) {
    return status_usage;
  }
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  auto objects = Objects::reach(*config);
  if (!objects) return status_failed;
  return print(objects->ask(
      "DELETE", "/api/v1/" + encoded(options.operand(0)) + "/" + encoded(options.operand(1))));
}

namespace {

/// What each action of `deck` takes besides --config and --deck.
std::vector<std::string> deck_options(const std::string& action, bool with_file) {
  if (action == "diff") return {"from", "to", "limit"};
  if (action == "rollback") return {"version"};
  if (action == "schedule" && with_file) return {"at", "file", "memo"};
  if (action == "schedule") return {"at", "version"};
  return {};
}

}  // namespace

int deck(const Options& options) {
  const std::string what = options.operand_or(0, "");
  std::vector<std::string> known = deck_options(what, options.has("file"));
  known.insert(known.end(), {"config", "deck"});
  if (!options.allow(known, {"config", "deck"}, {"versions, diff, rollback or schedule"}))
    return status_usage;
  const std::string base = "/api/v1/rate_decks/" + encoded(options.text("deck")) + "/";
  std::string method = "POST", target = base + what, body;
  if (what == "versions") {
    method = "GET";
  } else if (what == "diff") {
    method = "GET";
    const auto from = options.number("from"), to = options.number("to");
    if (!from || !to) return status_usage;
    target += "?from=" + std::to_string(*from) + "&to=" + std::to_string(*to);
    if (options.has("limit")) target += "&limit=" + encoded(options.text("limit"));
  } else if (what == "rollback") {
    if (options.has("version") && !options.number("version")) return status_usage;
    body = options.has("version") ? "{\"version\": " + options.text("version") + "}" : "{}";
  } else if (what == "schedule") {
    std::string time = "null";
    if (options.text("at") != "none") {
      const auto at_us = tandem::parse_time_us(options.text("at"));
      if (!at_us) {
        complain("--at: " + at_us.error().message);
        return status_usage;
      }
      time = tandem::format_time_us(*at_us);
    }
    if (options.has("file")) {
      method = "PUT";
      target = base + "rates?valid_from=" + encoded(time);
      if (options.has("memo")) target += "&memo=" + encoded(options.text("memo"));
    } else {
      if (!options.number("version")) return status_usage;
      body = "{\"version\": " + options.text("version") +
             ", \"valid_from\": " + (time == "null" ? time : "\"" + time + "\"") + "}";
    }
  } else {
    complain("\"" + what + "\" is not one of versions, diff, rollback, schedule");
    return status_usage;
  }
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  auto objects = Objects::reach(*config);
  if (!objects) return status_failed;
  if (method == "PUT") return put_file(*objects, options.text("file"), target, true, false);
  return print(objects->ask(method, target, body.empty() ? "" : "application/json", body));
}
