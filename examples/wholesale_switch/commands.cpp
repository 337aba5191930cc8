#include "commands.hpp"

#include <algorithm>
#include <cstdio>

std::optional<tandem::SwitchConfig> load_config(const std::string& path) {
  tandem::ConfigReading reading = tandem::read_config_file(path);
  for (const auto& error : reading.errors) {
    const char* const mark = error.pointer.empty() ? "" : ":";
    std::fprintf(stderr, "%s%s%s: %s\n", path.c_str(), mark, error.pointer.c_str(),
                 error.message.c_str());
  }
  if (!reading.errors.empty()) return std::nullopt;
  return std::move(reading.config);
}

std::optional<tandem::SwitchConfig> load_stored_config(const std::string& path) {
  auto config = load_config(path);
  if (!config) return std::nullopt;
  auto merged = tandem::with_stored_objects(std::move(*config));
  if (merged) return std::move(*merged);
  complain(path + ": " + merged.error().message);
  return std::nullopt;
}

int failed(const tandem::Error& error) {
  complain(error.message);
  return error.code == tandem::ErrorCode::invalid_argument ? status_usage : status_failed;
}

bool read_time(const Options& options, const char* name, std::optional<std::int64_t>& time_us) {
  if (!options.has(name)) return true;
  auto parsed = tandem::parse_time_us(options.text(name));
  if (!parsed) {
    complain(std::string("--") + name + ": " + parsed.error().message);
    return false;
  }
  time_us = *parsed;
  return true;
}

bool read_format(const Options& options, const std::vector<std::string>& known,
                 std::string& format) {
  format = options.has("table") ? "table" : options.text("format", known.front());
  if (options.has("table") && options.has("format")) {
    complain("--table and --format say the same thing");
    return false;
  }
  if (std::find(known.begin(), known.end(), format) != known.end()) return true;
  std::string words;
  for (const std::string& word : known)
    words += (words.empty() ? "" : ", ") + word;
  complain("--format \"" + format + "\" is not one of " + words);
  return false;
}

// What was asked for and cannot be had on this machine, by this user.
void warn_of_backends(const tandem::SwitchConfig& config,
                      std::vector<tandem::ConfigError>& warnings) {
  tandem::MediaConfig media;
  (config.media_address.is_ipv6() ? media.address6 : media.address) = config.media_address;
  if (config.media_address6) media.address6 = *config.media_address6;
  media.port_first = config.media_port_low;
  media.port_last = config.media_port_high;
  media.kernel = config.media_kernel;
  for (const tandem::MediaBackendState& state : tandem::MediaRelay::probe(media)) {
    const bool is_wanted =
        state.backend == config.media_backend ||
        (state.backend == tandem::MediaBackend::kernel && !config.media_kernel.interfaces.empty());
    if (is_wanted && !state.is_usable)
      warnings.push_back({"/media/backend", std::string("the backend ") +
                                                tandem::media_backend_name(state.backend) +
                                                " cannot be used here: " + state.detail});
  }
}

int check(const Options& options) {
  if (options.has("reference")) {
    std::fputs(tandem::config_reference_markdown().c_str(), stdout);
    return status_good;
  }
  if (!options.allow({"config"}, {"config"})) return status_usage;
  const auto config = load_stored_config(options.text("config"));
  if (!config) return status_usage;
  const tandem::SoundFaults sounds = tandem::sound_faults(*config);
  for (const tandem::ConfigError& error : sounds.errors) {
    std::fprintf(stderr, "%s:%s: %s\n", options.text("config").c_str(), error.pointer.c_str(),
                 error.message.c_str());
  }
  if (!sounds.errors.empty()) return status_usage;
  std::vector<tandem::ConfigError> warnings = tandem::config_warnings(*config);
  warnings.insert(warnings.end(), sounds.warnings.begin(), sounds.warnings.end());
  for (tandem::ConfigError& name : tandem::unresolved_names(*config))
    warnings.push_back(std::move(name));
  warn_of_backends(*config, warnings);
  for (const tandem::ConfigError& warning : warnings) {
    std::fprintf(stderr, "%s:%s: warning: %s\n", options.text("config").c_str(),
                 warning.pointer.c_str(), warning.message.c_str());
  }
  std::printf("%s: good\n", options.text("config").c_str());
  return status_good;
}

int explain(const Options& options) {
  std::string format;
  if (!options.allow({"config", "from", "caller", "callee", "at", "lrn", "callee-region",
                      "caller-region", "forwarder", "format", "table"},
                     {"config", "from", "caller", "callee"}) ||
      !read_format(options, {"json", "table"}, format)) {
    return status_usage;
  }
  tandem::ExplainRequest request{options.text("from"), options.text("caller"),
                                 options.text("callee")};
  if (options.has("lrn") || options.has("callee-region"))
    request.lrn = tandem::LrnRecord{options.text("lrn"), options.text("callee-region")};
  if (options.has("caller-region")) request.caller_region = options.text("caller-region");
  if (options.has("forwarder")) request.forwarder = options.text("forwarder");
  if (!read_time(options, "at", request.at_us)) return status_usage;
  const auto config = load_stored_config(options.text("config"));
  if (!config) return status_usage;
  auto answer = tandem::explain(*config, request);
  if (!answer) {
    complain(answer.error().message);
    return status_usage;  // whatever the routing says is an answer; what is left is a wrong
                          // question
  }
  if (format == "table") {
    auto table = tandem::explain_table(*answer);
    if (!table) return failed(table.error());
    std::fputs(table->c_str(), stdout);
    return status_good;
  }
  std::printf("%s\n", answer->c_str());
  return status_good;
}

int rate(const Options& options) {
  if (!options.allow({"config", "deck", "callee", "seconds", "at"},
                     {"config", "deck", "callee", "seconds"})) {
    return status_usage;
  }
  const auto seconds = options.number("seconds");
  std::optional<std::int64_t> at_us;
  if (!seconds || !read_time(options, "at", at_us)) return status_usage;
  const auto config = load_stored_config(options.text("config"));
  if (!config) return status_usage;
  auto answer =
      tandem::rate(*config, options.text("deck"), options.text("callee"), *seconds, at_us);
  if (!answer) return failed(answer.error());
  std::printf("%s\n", answer->c_str());
  return status_good;
}

int journal(const Options& options) {
  std::string format;
  if (!options.allow({"config", "format", "table"}, {"config"}) ||
      !read_format(options, {"table", "json"}, format)) {
    return status_usage;
  }
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  const auto check = tandem::check_journal(config->path(config->cdr_journal));
  if (!check) return failed(check.error());
  if (format == "json") {
    std::printf("%s\n", tandem::to_json(*check).c_str());
  } else {
    std::fputs(tandem::to_table(*check).c_str(), stdout);
  }
  return check->ok() ? status_good : status_failed;
}

std::vector<std::string> option_names(const std::vector<std::string_view>& names) {
  std::vector<std::string> all;
  for (const std::string_view name : names) {
    all.emplace_back(name);
    std::replace(all.back().begin(), all.back().end(), '_', '-');
  }
  return all;
}

namespace {

/// Prints the records of a filter as they are read.
int print_cdrs(const tandem::SwitchConfig& config, const tandem::CdrQuery& query,
               const std::string& format) {
  auto cursor = tandem::cdr_cursor(config, query);
  if (!cursor) return failed(cursor.error());
  if (format == "csv") std::printf("%s\r\n", tandem::csv_header().c_str());
  for (std::size_t count = 0; count < query.limit; ++count) {
    const auto record = cursor->next();
    if (!record) return failed(record.error());
    if (!*record) break;
    if (format == "csv") {
      std::printf("%s\r\n", tandem::to_csv_row(**record).c_str());
    } else {
      std::printf("%s\n", tandem::to_json(**record).c_str());
    }
  }
  return status_good;
}

}  // namespace

int cdr(const Options& options) {
  if (options.operand_or(0, "") == "sql") return cdr_sql(options);
  std::vector<std::string> known = option_names(tandem::cdr_filter_names());
  known.insert(known.end(), {"config", "limit", "format", "table"});
  if (!options.allow(known, {"config"})) return status_usage;
  tandem::CdrQuery query;
  for (const std::string& name : option_names(tandem::cdr_filter_names())) {
    if (!options.has(name)) continue;
    if (auto set = tandem::set_filter(query, name, options.text(name)); !set) {
      complain("--" + name + ": " + set.error().message);
      return status_usage;
    }
  }
  if (options.has("limit")) {
    const auto limit = options.number("limit");
    if (!limit) return status_usage;
    if (*limit < 1) {
      complain("--limit must be at least 1");
      return status_usage;
    }
    query.limit = static_cast<std::size_t>(*limit);
  }
  std::string format;
  if (!read_format(options, {"table", "json", "csv"}, format)) return status_usage;
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  if (format != "table") return print_cdrs(*config, query, format);
  const auto cdrs = tandem::query_cdrs(*config, query);
  if (!cdrs) return failed(cdrs.error());
  std::fputs(tandem::to_table(*cdrs).c_str(), stdout);
  return status_good;
}
