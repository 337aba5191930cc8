// The tables of keys, one for each kind of object. What reads an object of that kind, and the
// reference, go by them.
#pragma once

#include <vector>

#include "switch/config_reader_json.hpp"
#include "tandem/config.hpp"

namespace tandem::config {

/// A rate in the making: its rare terms are collected beside it.
struct RateConfig {
  Rate rate;
  RateTerms terms;
};

const std::vector<Field<RateSection>>& section_fields();
const std::vector<Field<RateTier>>& tier_fields();
const std::vector<Field<RateWindow>>& window_fields();
const std::vector<Field<RateConfig>>& rate_fields();
const std::vector<Field<RateDeckConfig>>& deck_fields();
const std::vector<Field<AccountLimit>>& account_limit_fields();
const std::vector<Field<AccountConfig>>& account_fields();
const std::vector<Field<GatewayAuth>>& auth_fields();
const std::vector<Field<SipOptions>>& customer_sip_fields();
const std::vector<Field<SipOptions>>& vendor_sip_fields();
const std::vector<Field<SplitEntry>>& split_fields();
const std::vector<Field<ReminderConfig>>& reminder_fields();
const std::vector<Field<SpokenVoiceConfig>>& voice_fields();
const std::vector<Field<GeofenceArea>>& geofence_area_fields();
const std::vector<Field<GeofenceConfig>>& geofence_fields();
const std::vector<Field<CustomerGateway>>& customer_fields();
const std::vector<Field<CallerPoolConfig>>& caller_pool_fields();
const std::vector<Field<SwitchRules>>& switching_fields();
const std::vector<Field<ReconciliationPeer>>& reconciliation_fields();
const std::vector<Field<VendorGateway>>& vendor_fields();
const std::vector<Field<LrnGatewayConfig>>& lrn_fields();
const std::vector<Field<LrnResolverConfig>>& lrn_resolver_fields();
const std::vector<Field<PeriodConfig>>& period_fields();
const std::vector<Field<PeriodConfig>>& customer_period_fields();
const std::vector<Field<PeriodConfig>>& group_period_fields();
const std::vector<Field<CalendarConfig>>& calendar_fields();
const std::vector<Field<GroupMember>>& member_fields();
const std::vector<Field<GatewayGroup>>& gateway_group_fields();
const std::vector<Field<NumberGroup>>& number_group_fields();
const std::vector<Field<NumberTransform>>& number_transform_fields();
const std::vector<Field<MobileArea>>& mobile_area_fields();
const std::vector<Field<NumberingPlanEntry>>& numbering_plan_fields();
const std::vector<Field<PhoneForward>>& forward_fields();
const std::vector<Field<PhoneConfig>>& phone_fields();
const std::vector<Field<PackageGift>>& package_gift_fields();
const std::vector<Field<PackageRate>>& package_rate_fields();
const std::vector<Field<PackageConfig>>& package_fields();
const std::vector<Field<PackageOrder>>& package_order_fields();
const std::vector<Field<Parameters>>& parameter_fields();
const std::vector<Field<SwitchConfig>>& sip_fields();
const std::vector<Field<TlsConfig>>& tls_fields();
const std::vector<Field<SwitchConfig>>& media_fields();
const std::vector<Field<MediaKernelConfig>>& media_kernel_fields();
const std::vector<Field<RecordingConfig>>& recording_fields();
const std::vector<Field<SwitchConfig>>& admin_fields();
const std::vector<Field<CdrSinkConfig>>& sink_fields();
const std::vector<Field<SwitchConfig>>& cdr_fields();
const std::vector<Field<DnsConfig>>& dns_fields();
const std::vector<Field<MaintenanceConfig>>& maintenance_fields();
const std::vector<Field<TraceConfig>>& trace_fields();
const std::vector<Field<HepConfig>>& hep_fields();
const std::vector<Field<WebhookConfig>>& webhook_fields();

/// `limits` of an account.
void read_account_limits(Reader& r, const Json& v, std::vector<AccountLimit>& limits);

/// `prompts` and `reminder` of who calls.
void read_prompts(Reader& r, const Json& v, std::vector<PromptConfig>& prompts);
void read_reminder(Reader& r, const Json& v, std::optional<ReminderConfig>& reminder);
void read_remaining(Reader& r, const Json& v, Remaining& remaining);
/// Of who may leave it to the parameter, by `default`.
void read_remaining(Reader& r, const Json& v, std::optional<Remaining>& remaining);

/// `geofence` of a party or of the switch.
void read_geofence(Reader& r, const Json& v, GeofenceConfig& geofence);

/// Keys that the `sip` object of a gateway and a phone have of descriptions (M-03,
/// M-08 .. M-10, M-12).
template <class T>
std::vector<Field<T>> description_fields();

/// `sort` of a customer gateway or phone.
void read_sort(Reader& r, const Json& v, std::vector<RoutePolicy>& sort);

/// `periods[]` whose objects have `fields`.
void read_periods(Reader& r, const Json& v, const std::vector<Field<PeriodConfig>>& fields,
                  std::initializer_list<const char*> required, std::vector<PeriodConfig>& periods);

}  // namespace tandem::config
