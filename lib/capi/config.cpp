// Configurations, and what can be asked of one without a running switch.
#include "capi/config.hpp"

#include "capi/values.hpp"

using namespace tandem;
using namespace tandem::capi;

template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_explain_request> =
    offsetof(tandem_explain_request, lrn);

namespace tandem::capi {

Result<const SwitchConfig*> usable_config(const tandem_config* config) {
  if (config == nullptr) return Error{ErrorCode::invalid_argument, "config was NULL"};
  if (!config->reading.errors.empty()) {
    const ConfigError& first = config->reading.errors.front();
    return Error{ErrorCode::invalid_argument, first.pointer + ": " + first.message};
  }
  return &config->reading.config;
}

Result<ExplainRequest> read_explain_request(const tandem_explain_request* given) {
  const auto read = read_struct(given, "tandem_explain_request");
  if (!read) return read.error();
  ExplainRequest request;
  request.from = copy(read->from);
  request.caller = copy(read->caller);
  request.callee = copy(read->callee);
  if (read->at_us != 0) request.at_us = read->at_us;
  if (read->lrn != nullptr) request.lrn = LrnRecord{read->lrn, copy(read->callee_region)};
  if (read->caller_region != nullptr) request.caller_region = read->caller_region;
  if (read->forwarder != nullptr) request.forwarder = read->forwarder;
  return request;
}

}  // namespace tandem::capi

namespace {

/// One of what was found about a configuration.
int show(const std::vector<ConfigError>& found, const char* what, std::size_t index,
         const char** pointer, const char** message) {
  if (index >= found.size()) {
    return fail(ErrorCode::not_found, std::string(what) + " " + std::to_string(index) + " of " +
                                          std::to_string(found.size()) + " was asked for");
  }
  if (pointer != nullptr) *pointer = found[index].pointer.c_str();
  if (message != nullptr) *message = found[index].message.c_str();
  return TANDEM_OK;
}

/// What is right may still be worth a word.
tandem_config* make_config(ConfigReading reading) {
  auto warnings =
      reading.errors.empty() ? config_warnings(reading.config) : std::vector<ConfigError>();
  return new tandem_config{std::move(reading), std::move(warnings)};
}

}  // namespace

extern "C" {

int tandem_config_ask_names(tandem_config* config) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(config);
    if (!config->reading.errors.empty()) {
      return fail(ErrorCode::invalid_argument,
                  "configuration has " + std::to_string(config->reading.errors.size()) + " errors");
    }
    for (ConfigError& name : unresolved_names(config->reading.config))
      config->warnings.push_back(std::move(name));
    return TANDEM_OK;
  });
}

int tandem_config_read_json(const char* json, const char* folder, tandem_config** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(json);
    TANDEM_CAPI_NOT_NULL(out);
    *out = make_config(read_config(json, folder == nullptr ? "." : folder));
    return TANDEM_OK;
  });
}

int tandem_config_read_file(const char* path, tandem_config** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(path);
    TANDEM_CAPI_NOT_NULL(out);
    *out = make_config(read_config_file(path));
    return TANDEM_OK;
  });
}

size_t tandem_config_error_count(const tandem_config* config) {
  return config == nullptr ? 0 : config->reading.errors.size();
}

int tandem_config_error(const tandem_config* config, size_t index, const char** pointer,
                        const char** message) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(config);
    return show(config->reading.errors, "error", index, pointer, message);
  });
}

size_t tandem_config_warning_count(const tandem_config* config) {
  return config == nullptr ? 0 : config->warnings.size();
}

int tandem_config_warning(const tandem_config* config, size_t index, const char** pointer,
                          const char** message) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(config);
    return show(config->warnings, "warning", index, pointer, message);
  });
}

void tandem_config_destroy(tandem_config* config) { delete config; }

int tandem_config_reference(tandem_text** markdown) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(markdown);
    return give(config_reference_markdown(), markdown);
  });
}

int tandem_config_explain(const tandem_config* config, const tandem_explain_request* request,
                          tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(json);
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    const auto read = read_explain_request(request);
    TANDEM_CAPI_TRY(read);
    return give(explain(**usable, *read), json);
  });
}

int tandem_explain_table(const char* json, tandem_text** table) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(json);
    TANDEM_CAPI_NOT_NULL(table);
    return give(explain_table(json), table);
  });
}

int tandem_config_rate(const tandem_config* config, const char* deck, const char* callee,
                       int64_t seconds, int64_t at_us, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(json);
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return give(rate(**usable, view(deck), view(callee), seconds,
                     at_us == 0 ? std::nullopt : std::optional(at_us)),
                json);
  });
}

int tandem_config_query_cdrs(const tandem_config* config, const tandem_cdr_query* query,
                             tandem_text** json_lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(json_lines);
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    const auto read = read_cdr_query(query);
    TANDEM_CAPI_TRY(read);
    const auto cdrs = query_cdrs(**usable, *read);
    TANDEM_CAPI_TRY(cdrs);
    return give(to_json_lines(*cdrs), json_lines);
  });
}

}  // extern "C"
