// The commands of tandem-switch; each returns the exit status.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "options.hpp"
#include "tandem/tandem.hpp"

int run(const Options& options);
int check(const Options& options);
int explain(const Options& options);
int rate(const Options& options);
int cdr(const Options& options);
int cdr_sql(const Options& options);  ///< `cdr sql`.
int journal(const Options& options);
int maintenance(const Options& options);
int dispute(const Options& options);
int ask(const Options& options);  ///< calls, gateways, phones, accounts.
int bans(const Options& options);
int phone_notices(const Options& options);
int drain(const Options& options);
int recording(const Options& options);
int shadow(const Options& options);
int trace(const Options& options);
int import_objects(const Options& options);
int export_objects(const Options& options);
int remove_object(const Options& options);
int deck(const Options& options);
int report(const Options& options);
int correct(const Options& options);
int reconcile(const Options& options);
int apply_rerate(const Options& options);  ///< `report rerate --apply`.

/// Reads the file of --config; says every error on stderr, "FILE:POINTER: message". Nothing: there
/// were some.
std::optional<tandem::SwitchConfig> load_config(const std::string& path);
/// The same with the objects that the database holds.
std::optional<tandem::SwitchConfig> load_stored_config(const std::string& path);
/// --at and its kin: RFC 3339 or YYYY-MM-DD. False: it was no time, and stderr says so.
bool read_time(const Options& options, const char* name, std::optional<std::int64_t>& time_us);
/// Says an error on stderr. The exit status.
int failed(const tandem::Error& error);

/// Names of members as options: '-' for '_'.
std::vector<std::string> option_names(const std::vector<std::string_view>& names);
/// --format, one of `known`, the first by default; --table is short for --format table. False: it
/// is none of them, and stderr says so.
bool read_format(const Options& options, const std::vector<std::string>& known,
                 std::string& format);
