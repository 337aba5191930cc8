// The configuration file as a whole: its lists of objects, its reading, and the reference.
#include <fstream>
#include <set>
#include <sstream>
#include <type_traits>
#include <unordered_map>

#include "http/client.hpp"
#include "notify/webhook.hpp"
#include "switch/config_check.hpp"
#include "switch/config_fields_json.hpp"
#include "switch/config_reader_json.hpp"
#include "switch/config_values_json.hpp"
#include "switch/provision_kinds_json.hpp"
#include "tandem/config.hpp"

namespace tandem {

using namespace config;

namespace {

constexpr std::size_t config_bytes_max = std::size_t{256} << 20;

/// One list of `provision`: which member holds it, which table reads its objects, and which member
/// names an object that was given no id (null: the id is required).
template <auto List, auto Fields, auto NaturalId = nullptr>
struct Listed {
  using Object =
      typename std::remove_reference_t<decltype(std::declval<Provision>().*List)>::value_type;

  static void read(Reader& r, const Json& v, Provision& p) {
    Object object;
    read_object(r, v, Fields(), {}, object);
    for (const auto& field : Fields()) {
      const bool is_required = std::string_view(field.otherwise) == "required";
      if (!is_required || !v.is_object() || v.contains(field.key)) continue;
      Reader::Step step(r, field.key);
      r.fail(std::string("missing \"") + field.key + "\"");
    }
    if constexpr (!std::is_null_pointer_v<decltype(NaturalId)>) {
      if (object.id.empty()) object.id = object.*NaturalId;
    }
    (p.*List).push_back(std::move(object));
  }
  static void upsert(Provision& base, const Provision& update) {
    auto& list = base.*List;
    std::unordered_map<std::string, std::size_t> places;
    if (!(update.*List).empty()) {
      for (std::size_t i = 0; i < list.size(); ++i)
        places.emplace(list[i].id, i);
    }
    for (const Object& object : update.*List) {
      const auto [place, is_new] = places.emplace(object.id, list.size());
      if (is_new) {
        list.push_back(object);
      } else {
        list[place->second] = object;
      }
    }
  }
  static bool erase(Provision& p, std::string_view id) {
    return std::erase_if(p.*List, [&](const Object& object) { return object.id == id; }) != 0;
  }
  static std::size_t size(const Provision& p) { return (p.*List).size(); }
  static const std::string& id_at(const Provision& p, std::size_t index) {
    return (p.*List)[index].id;
  }
  static std::vector<std::pair<std::string, std::string>> columns() {
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& field : Fields())
      found.emplace_back(field.key, field.type);
    return found;
  }
  static config::ProvisionKind kind(const char* name, const char* meaning) {
    return {name,   meaning, read,
            upsert, erase,   size,
            id_at,  columns, std::is_null_pointer_v<decltype(NaturalId)>};
  }
};

void read_provision(Reader& r, const Json& v, Provision& p) {
  if (!v.is_object()) {
    r.fail(std::string("expected an object, found ") + v.type_name());
    return;
  }
  for (auto list = v.begin(); list != v.end(); ++list) {
    Reader::Step step(r, list.key());
    const config::ProvisionKind* kind = config::find_provision_kind(list.key());
    if (kind == nullptr) {
      r.fail("unknown or not yet supported key \"" + list.key() + "\"");
    } else if (!list.value().is_null()) {
      std::set<std::string> ids;
      r.each(list.value(), [&](const Json& object) {
        config::read_provisioned(r, *kind, object, p);
        const std::string& id = kind->id_at(p, kind->size(p) - 1);
        if (!id.empty() && !ids.insert(id).second) {
          Reader::Step inner(r, "id");
          r.fail("\"" + id + "\" is there twice");
        }
      });
    }
  }
}

const std::vector<Field<SwitchConfig>>& top_fields() {
  static const std::vector<Field<SwitchConfig>> fields = {
      {"database", "path", "\"switch.db\"", "SQLite file with balances and provisioned objects.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.string(v, c.database, 4096); }},
      {"deck_images", "boolean", "true",
       "Stored rate decks of 1000 rates and more have images in the folder `DATABASE-decks`, from "
       "which a start reads them faster (docs/rating.md). Takes a restart.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.boolean(v, c.deck_images); }},
      {"sip", "object", "required", "Signalling.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_object(r, v, sip_fields(), {"listen"}, c);
       }},
      {"media", "object", "{}", "Media relay.",
       [](Reader& r, const Json& v, SwitchConfig& c) { read_object(r, v, media_fields(), {}, c); }},
      {"recording", "object", "none",
       "Where calls are recorded (M-15); without it none is, whatever `record` says.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_object(r, v, recording_fields(), {}, c.recording.emplace());
       }},
      {"admin", "object", "none", "Admin API.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_object(r, v, admin_fields(), {"listen"}, c);
       }},
      {"cdr", "object", "{}", "Journal and sinks.",
       [](Reader& r, const Json& v, SwitchConfig& c) { read_object(r, v, cdr_fields(), {}, c); }},
      {"maintenance", "object", "none", "Daily care for the day files (docs/maintenance.md).",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         c.maintenance.is_scheduled = true;
         read_object(r, v, maintenance_fields(), {}, c.maintenance);
       }},
      {"dns", "object", "{}",
       "Name servers for the names of gateways (docs/sip.md). Takes a restart.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_object(r, v, dns_fields(), {}, c.dns);
       }},
      {"parameters", "object", "{}", "Parameters, see below.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_object(r, v, parameter_fields(), {}, c.parameters);
       }},
      {"provision", "object", "{}", "Accounts, decks and gateways; upserted at start.",
       [](Reader& r, const Json& v, SwitchConfig& c) { read_provision(r, v, c.provision); }},
      {"shadow", "object", "none",
       "Plan of a shadow that starts with the switch: decks, provision, remove, parameters, memo "
       "(docs/routing.md).",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         if (v.is_object()) {
           c.shadow = v.dump(-1, ' ', false, Json::error_handler_t::replace);
         } else {
           r.fail(std::string("expected an object, found ") + v.type_name());
         }
       }},
      {"trace", "object", "{}", "Call traces (docs/trace.md). Needs a restart.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_object(r, v, trace_fields(), {}, c.trace);
       }},
      {"phone_notices", "object", "none",
       "Where phones that come on line and go are told of, by HTTP (I-02, docs/notices.md).",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_object(r, v, webhook_fields(), {"url"}, c.phone_notices.emplace());
       }},
      {"memo", "text", "\"\"", "Yours.",
       [](Reader& r, const Json& v, SwitchConfig&) { read_memo(r, v); }},
  };
  return fields;
}

template <class T>
void append_table(std::string& page, const char* title, const std::vector<Field<T>>& fields) {
  page +=
      std::string("\n## ") + title + "\n\n| key | value | default | meaning |\n|---|---|---|---|\n";
  for (const auto& field : fields) {
    auto escaped = [](std::string text) {
      for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
        text.insert(at, "\\");
      return text;
    };
    std::string key = std::string("`") + field.key + "`";
    for (const char* alias : {field.alias, field.other_alias}) {
      if (alias != nullptr) key += std::string("<br>`") + alias + "`";
    }
    page += "| " + key + " | " + escaped(field.type) + " | " + escaped(field.otherwise) + " | " +
            escaped(field.meaning) + " |\n";
  }
}

/// The rows of the reference, nothing else.
std::vector<Field<Provision>> provision_fields() {
  std::vector<Field<Provision>> fields;
  for (const config::ProvisionKind& kind : config::provision_kinds())
    fields.push_back({kind.name, "array", "[]", kind.meaning, nullptr});
  return fields;
}

/// Finds out whether the files of what is asked by HTTPS can be used.
void check_https_files(const SwitchConfig& config, std::vector<ConfigError>& errors) {
  const auto check = [&](const HttpsConfig& https, const std::string& pointer) {
    const auto opened = http::open_client_tls(https, config.folder);
    if (!opened) errors.push_back({pointer, opened.error().message});
  };
  if (config.phone_notices) {
    const auto opened = notify::WebhookTarget::open(*config.phone_notices, config.folder);
    if (!opened) errors.push_back({"/phone_notices", opened.error().message});
  }
  const Provision& provision = config.provision;
  for (std::size_t i = 0; i < provision.lrn_resolvers.size(); ++i)
    check(provision.lrn_resolvers[i].https, "/provision/lrn_resolvers/" + std::to_string(i));
  for (std::size_t i = 0; i < provision.vendor_gateways.size(); ++i) {
    if (const auto& peer = provision.vendor_gateways[i].reconciliation)
      check(peer->https, "/provision/vendor_gateways/" + std::to_string(i) + "/reconciliation");
  }
}

ConfigReading read(std::string_view text, const std::string& folder, bool looks_outside) {
  ConfigReading reading;
  reading.config.folder = folder.empty() ? "." : folder;
  reading.config.cdr_sinks.push_back({.type = "sqlite", .path = "cdr"});
  std::vector<std::string> repeated;
  const auto json = config::parse_json(text, config::Comments::allowed, repeated);
  if (!json) {
    reading.errors.push_back({"", json.error().message});
    return reading;
  }
  for (const auto& key : repeated)
    reading.errors.push_back({"", "key \"" + key + "\" is there twice"});
  Reader reader(reading.config.folder, reading.errors, looks_outside);
  read_object(reader, *json, top_fields(), {"sip"}, reading.config);
  const Parameters& parameters = reading.config.parameters;
  if (parameters.cdr_file_interval_s > 0) {
    reading.config.cdr_sinks.push_back({.type = "files",
                                        .path = {},
                                        .format = "vos",
                                        .interval_s = parameters.cdr_file_interval_s,
                                        .files_max = parameters.cdr_file_max});
  }
  for (auto& sink : reading.config.cdr_sinks) {
    const bool is_day_or_hour = sink.type == "sqlite" || sink.type == "csv";
    if (sink.path.empty()) sink.path = is_day_or_hour ? "cdr" : "cdr-" + sink.type;
  }
  check_config(reading.config, reading.errors);
  if (looks_outside && reading.errors.empty()) check_https_files(reading.config, reading.errors);
  return reading;
}

}  // namespace

const std::vector<config::ProvisionKind>& config::provision_kinds() {
  using P = Provision;
  static const std::vector<ProvisionKind> kinds = {
      Listed<&P::accounts, account_fields>::kind("accounts", "Accounts."),
      Listed<&P::rate_decks, deck_fields>::kind("rate_decks", "Tariffs."),
      Listed<&P::customer_gateways, customer_fields>::kind("customer_gateways",
                                                           "Where calls come from."),
      Listed<&P::vendor_gateways, vendor_fields>::kind("vendor_gateways", "Where calls go."),
      Listed<&P::gateway_groups, gateway_group_fields>::kind("gateway_groups",
                                                             "Gateways that share lines."),
      Listed<&P::number_groups, number_group_fields>::kind("number_groups",
                                                           "Named lists of numbers."),
      Listed<&P::calendars, calendar_fields>::kind("calendars", "Classes of days."),
      Listed<&P::number_transforms, number_transform_fields, &NumberTransform::number>::kind(
          "number_transforms", "Numbers that are called otherwise elsewhere."),
      Listed<&P::mobile_areas, mobile_area_fields, &MobileArea::prefix>::kind(
          "mobile_areas", "Where mobile numbers are at home."),
      Listed<&P::numbering_plan, numbering_plan_fields, &NumberingPlanEntry::prefix>::kind(
          "numbering_plan", "What numbers are by their first digits and their length."),
      Listed<&P::geofence_areas, geofence_area_fields>::kind("geofence_areas",
                                                             "Named sets of addresses."),
      Listed<&P::phones, phone_fields, &PhoneConfig::number>::kind("phones",
                                                                   "Phones that register here."),
      Listed<&P::lrn_resolvers, lrn_resolver_fields>::kind("lrn_resolvers",
                                                           "Who knows where ported numbers are."),
      Listed<&P::packages, package_fields>::kind("packages", "Rents with gifts of calls."),
      Listed<&P::package_orders, package_order_fields>::kind("package_orders",
                                                             "Who has which package."),
      Listed<&P::voices, voice_fields>::kind("voices", "Recordings that numbers are spoken with."),
  };
  return kinds;
}

const config::ProvisionKind* config::find_provision_kind(std::string_view name) {
  for (const ProvisionKind& kind : provision_kinds()) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

void config::read_provisioned(Reader& reader, const ProvisionKind& kind, const Json& object,
                              Provision& into) {
  kind.read(reader, object, into);
  const std::string& id = kind.id_at(into, kind.size(into) - 1);
  if (id.empty()) return;
  Json shown = Json::object();
  for (auto item = object.begin(); item != object.end(); ++item) {
    if (item.key() != "rates") shown[item.key()] = item.value();
  }
  into.documents[kind.name][id] = shown.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void config::read_parameters(Reader& reader, const Json& object, Parameters& into) {
  read_object(reader, object, parameter_fields(), {}, into);
}

void config::upsert(Provision& base, const Provision& update) {
  for (const ProvisionKind& kind : provision_kinds()) {
    kind.upsert(base, update);
    // What a host gave as a structure has no text, and must not keep that of its predecessor.
    if (const auto old = base.documents.find(kind.name); old != base.documents.end()) {
      for (std::size_t i = 0; i < kind.size(update); ++i)
        old->second.erase(kind.id_at(update, i));
    }
  }
  for (const auto& [kind, documents] : update.documents) {
    for (const auto& [id, json] : documents)
      base.documents[kind].insert_or_assign(id, json);
  }
}

ConfigReading read_config(std::string_view text, const std::string& folder) {
  return read(text, folder, true);
}

ConfigReading read_config_alone(std::string_view text) { return read(text, ".", false); }

ConfigReading read_config_file(const std::string& path) {
  ConfigReading reading;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || text.view().size() > config_bytes_max) {
    reading.errors.push_back({"", file ? "file is larger than 256 MiB" : "could not be read"});
    return reading;
  }
  const auto slash = path.rfind('/');
  return read_config(text.view(), slash == std::string::npos ? "."
                                  : slash == 0               ? "/"
                                                             : path.substr(0, slash));
}

std::string config_reference_markdown() {
  std::string page =
      "# Configuration reference\n\nMade from the tables of the parser (`tandem-switch check "
      "--reference`). One JSON "
      "file; comments are allowed; a key\nthat is not in these tables is an error that names its "
      "JSON pointer. Money "
      "and prices are decimal strings, times\nRFC 3339 or `YYYY-MM-DD` (UTC). `null` means the "
      "default.\n";
  append_table(page, "The file", top_fields());
  append_table(page, "`sip`", sip_fields());
  append_table(page, "`sip.tls`", tls_fields());
  append_table(page, "`media`", media_fields());
  append_table(page, "`media.kernel`", media_kernel_fields());
  append_table(page, "`recording`", recording_fields());
  append_table(page, "`admin`", admin_fields());
  append_table(page, "`cdr`", cdr_fields());
  append_table(page, "`cdr.sinks[]`", sink_fields());
  append_table(page, "`maintenance`", maintenance_fields());
  append_table(page, "`dns`", dns_fields());
  append_table(page, "`trace`", trace_fields());
  append_table(page, "`trace.hep`", hep_fields());
  append_table(page, "`phone_notices`", webhook_fields());
  append_table(page, "`parameters` (VOS names are aliases)", parameter_fields());
  append_table(page, "`provision`", provision_fields());
  append_table(page, "`accounts[]`", account_fields());
  append_table(page, "`limits[]` of an account", account_limit_fields());
  append_table(page, "`reconciliation` of a vendor gateway", reconciliation_fields());
  append_table(page, "`rate_decks[]`", deck_fields());
  append_table(page, "`rates[]`, also the columns of a deck file", rate_fields());
  append_table(page, "`sections[]` of a rate", section_fields());
  append_table(page, "`tiers[]` of a rate or window", tier_fields());
  append_table(page, "`windows[]` of a rate", window_fields());
  append_table(page, "`customer_gateways[]`", customer_fields());
  append_table(page, "`vendor_gateways[]`", vendor_fields());
  append_table(page, "`reminder` of an account, a customer gateway or a phone", reminder_fields());
  append_table(page, "`geofence` of the parameters, a gateway or a phone", geofence_fields());
  append_table(page, "`auth` of a gateway", auth_fields());
  append_table(page, "`sip` of a customer gateway", customer_sip_fields());
  append_table(page, "`sip` of a vendor gateway", vendor_sip_fields());
  append_table(page, "`split[]` of a customer gateway", split_fields());
  append_table(page, "`periods[]` of a customer gateway", customer_period_fields());
  append_table(page, "`lrn` of a customer gateway or phone (VOS names are aliases)", lrn_fields());
  append_table(page, "`switch` of a vendor gateway", switching_fields());
  append_table(page, "`caller_pool` of a vendor gateway", caller_pool_fields());
  append_table(page, "`periods[]` of a vendor gateway", period_fields());
  append_table(page, "`gateway_groups[]`", gateway_group_fields());
  append_table(page, "`members[]` of a gateway group", member_fields());
  append_table(page, "`periods[]` of a gateway group", group_period_fields());
  append_table(page, "`number_groups[]`", number_group_fields());
  append_table(page, "`calendars[]`", calendar_fields());
  append_table(page, "`number_transforms[]`", number_transform_fields());
  append_table(page, "`mobile_areas[]`", mobile_area_fields());
  append_table(page, "`numbering_plan[]`", numbering_plan_fields());
  append_table(page, "`geofence_areas[]`", geofence_area_fields());
  append_table(page, "`phones[]`", phone_fields());
  append_table(page, "`phones[].forward`", forward_fields());
  append_table(page, "`lrn_resolvers[]`", lrn_resolver_fields());
  append_table(page, "`packages[]`", package_fields());
  append_table(page, "`gift_times[]` of a package", package_gift_fields());
  append_table(page, "`period_rates[]` of a package", package_rate_fields());
  append_table(page, "`package_orders[]`", package_order_fields());
  append_table(page, "`voices[]`", voice_fields());
  return page;
}

}  // namespace tandem
