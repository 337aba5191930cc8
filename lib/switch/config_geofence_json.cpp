// Areas of addresses, and who must be inside or outside of them (S-01).
#include <string>
#include <utility>

#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

namespace {

/// "FIRST" and how many, as the lists of VOS have it.
struct CountedRange {
  std::string start;
  std::int64_t count = 1;
};

const std::vector<Field<CountedRange>>& counted_fields() {
  static const std::vector<Field<CountedRange>> fields = {
      {"start", "", "", "",
       [](Reader& r, const Json& v, CountedRange& c) { r.string(v, c.start, 64); }},
      {"count", "", "", "",
       [](Reader& r, const Json& v, CountedRange& c) {
         r.integer(v, 1, std::int64_t{1} << 32, c.count);
       }},
  };
  return fields;
}

void read_range(Reader& r, const Json& item, std::vector<IpRange>& ranges) {
  Result<IpRange> range = IpRange{};
  if (item.is_object()) {
    CountedRange counted;
    read_object(r, item, counted_fields(), {"start", "count"}, counted);
    const auto first = IpAddress::parse(counted.start);
    range = first ? IpRange::of_count(*first, static_cast<std::uint64_t>(counted.count))
                  : Result<IpRange>(first.error());
  } else {
    std::string text;
    if (!r.string(item, text, 100)) return;
    range = IpRange::parse(text);
  }
  if (range) {
    ranges.push_back(*range);
  } else {
    r.fail(range.error().message);
  }
}

}  // namespace

const std::vector<Field<GeofenceArea>>& geofence_area_fields() {
  using A = GeofenceArea;
  static const std::vector<Field<A>> fields = {
      {"id", "id", "required", "Name of the area.",
       [](Reader& r, const Json& v, A& a) { read_id(r, v, a.id); }},
      {"ranges", "array of IP, IP/LENGTH, FIRST-LAST or {\"start\": IP, \"count\": N}", "required",
       "Its addresses (S-01); those of all areas together are at most 1000000 ranges.",
       [](Reader& r, const Json& v, A& a) {
         r.each(v, [&](const Json& item) { read_range(r, item, a.ranges); });
         if (a.ranges.size() > IpSet::ranges_max)
           r.fail(std::to_string(a.ranges.size()) + " ranges are more than " +
                  std::to_string(IpSet::ranges_max));
       }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, A&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<GeofenceConfig>>& geofence_fields() {
  using G = GeofenceConfig;
  static const std::vector<Field<G>> fields = {
      {"mode", "ignore|forbidden|allow", "ignore",
       "Addresses inside the areas fail, or those outside; ignore: the fence of the switch "
       "decides, "
       "where it has one.",
       [](Reader& r, const Json& v, G& g) {
         r.choice<GeofenceMode>(v,
                                {{"ignore", GeofenceMode::ignore},
                                 {"forbidden", GeofenceMode::forbidden},
                                 {"allow", GeofenceMode::allow}},
                                g.mode);
       }},
      {"areas", "array of ids", "all", "Which of `geofence_areas[]`.",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.areas); }},
      {"signalling", "boolean", "true",
       "Where its requests come from is checked, or where a vendor is called.",
       [](Reader& r, const Json& v, G& g) { r.boolean(v, g.signalling); }},
      {"sdp", "boolean", "true",
       "The public addresses in its descriptions are checked; private ones say nothing.",
       [](Reader& r, const Json& v, G& g) { r.boolean(v, g.sdp); }},
      {"rtp", "boolean", "true", "Where its relayed media comes from is checked.",
       [](Reader& r, const Json& v, G& g) { r.boolean(v, g.rtp); }},
  };
  return fields;
}

void read_geofence(Reader& r, const Json& v, GeofenceConfig& geofence) {
  read_object(r, v, geofence_fields(), {}, geofence);
}

}  // namespace tandem::config
