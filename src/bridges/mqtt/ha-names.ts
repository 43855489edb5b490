// The short names of Home Assistant's discovery, for the keys that are read here, and its base topic `~` (C2).

import type { Json } from '../../core/dispatch.ts'
import { type Data, isData } from './payload.ts'

/** `short long`, one pair after the other. */
const ROOT = names(`
  act_t action_topic  act_tpl action_template  avty availability  avty_mode availability_mode
  avty_t availability_topic  avty_tpl availability_template  atype automation_type
  bri_cmd_t brightness_command_topic  bri_cmd_tpl brightness_command_template  bri_scl brightness_scale
  bri_stat_t brightness_state_topic  bri_val_tpl brightness_value_template  clrm color_mode
  clr_temp_cmd_t color_temp_command_topic  clr_temp_cmd_tpl color_temp_command_template
  clr_temp_stat_t color_temp_state_topic  clr_temp_val_tpl color_temp_value_template
  clrm_stat_t color_mode_state_topic  clrm_val_tpl color_mode_value_template
  cmd_t command_topic  cmd_tpl command_template  cmps components  cod_arm_req code_arm_required
  curr_hum_t current_humidity_topic  curr_hum_tpl current_humidity_template
  curr_temp_t current_temperature_topic  curr_temp_tpl current_temperature_template
  dev device  dev_cla device_class  dir_cmd_t direction_command_topic  dir_cmd_tpl direction_command_template
  dir_stat_t direction_state_topic  dir_val_tpl direction_value_template
  e encoding  en enabled_by_default  ent_cat entity_category  evt_typ event_types  exp_aft expire_after
  fan_mode_cmd_t fan_mode_command_topic  fan_mode_cmd_tpl fan_mode_command_template
  fan_mode_stat_t fan_mode_state_topic  fan_mode_stat_tpl fan_mode_state_template
  fanspd_lst fan_speed_list  frc_upd force_update  fx effect  fx_cmd_t effect_command_topic
  fx_cmd_tpl effect_command_template  fx_list effect_list  fx_stat_t effect_state_topic  fx_val_tpl effect_value_template
  hs_cmd_t hs_command_topic  hs_stat_t hs_state_topic  hs_val_tpl hs_value_template
  hum_cmd_t target_humidity_command_topic  hum_cmd_tpl target_humidity_command_template
  hum_stat_t target_humidity_state_topic  hum_state_tpl target_humidity_state_template
  json_attr_t json_attributes_topic  json_attr_tpl json_attributes_template
  l_ver_t latest_version_topic  l_ver_tpl latest_version_template
  max_hum max_humidity  max_mirs max_mireds  min_hum min_humidity  min_mirs min_mireds
  migr_discvry migrate_discovery  mode_cmd_t mode_command_topic  mode_cmd_tpl mode_command_template
  mode_stat_t mode_state_topic  mode_stat_tpl mode_state_template  o origin  obj_id object_id
  off_dly off_delay  ops options  opt optimistic  osc_cmd_t oscillation_command_topic
  osc_cmd_tpl oscillation_command_template  osc_stat_t oscillation_state_topic  osc_val_tpl oscillation_value_template
  p platform  pct_cmd_t percentage_command_topic  pct_cmd_tpl percentage_command_template
  pct_stat_t percentage_state_topic  pct_val_tpl percentage_value_template  pl payload
  pl_arm_away payload_arm_away  pl_arm_home payload_arm_home  pl_arm_nite payload_arm_night
  pl_arm_vacation payload_arm_vacation  pl_avail payload_available  pl_cln_sp payload_clean_spot
  pl_cls payload_close  pl_disarm payload_disarm  pl_inst payload_install  pl_loc payload_locate  pl_lock payload_lock
  pl_not_avail payload_not_available  pl_off payload_off  pl_on payload_on  pl_open payload_open
  pl_osc_off payload_oscillation_off  pl_osc_on payload_oscillation_on  pl_paus payload_pause  pl_prs payload_press
  pl_ret payload_return_to_base  pl_stop payload_stop  pl_strt payload_start  pl_trig payload_trigger
  pl_unlk payload_unlock  pos_clsd position_closed  pos_open position_open  pos_t position_topic  pos_tpl position_template
  pow_cmd_t power_command_topic  pow_cmd_tpl power_command_template
  pr_mode_cmd_t preset_mode_command_topic  pr_mode_cmd_tpl preset_mode_command_template
  pr_mode_stat_t preset_mode_state_topic  pr_mode_val_tpl preset_mode_value_template  pr_modes preset_modes
  ptrn pattern  ret retain  rgb_cmd_t rgb_command_topic  rgb_cmd_tpl rgb_command_template  rgb_stat_t rgb_state_topic
  rgb_val_tpl rgb_value_template  set_fan_spd_t set_fan_speed_topic  set_pos_t set_position_topic
  set_pos_tpl set_position_template  spd_rng_max speed_range_max  spd_rng_min speed_range_min
  stat_cla state_class  stat_clsd state_closed  stat_locked state_locked  stat_off state_off  stat_on state_on
  stat_open state_open  stat_t state_topic  stat_tpl state_template  stat_unlocked state_unlocked
  stat_val_tpl state_value_template  stype subtype  sup_clrm supported_color_modes
  swing_mode_cmd_t swing_mode_command_topic  swing_mode_cmd_tpl swing_mode_command_template
  swing_mode_stat_t swing_mode_state_topic  swing_mode_stat_tpl swing_mode_state_template  t topic
  temp_cmd_t temperature_command_topic  temp_cmd_tpl temperature_command_template
  temp_hi_cmd_t temperature_high_command_topic  temp_hi_cmd_tpl temperature_high_command_template
  temp_hi_stat_t temperature_high_state_topic  temp_hi_stat_tpl temperature_high_state_template
  temp_lo_cmd_t temperature_low_command_topic  temp_lo_cmd_tpl temperature_low_command_template
  temp_lo_stat_t temperature_low_state_topic  temp_lo_stat_tpl temperature_low_state_template
  temp_stat_t temperature_state_topic  temp_stat_tpl temperature_state_template  temp_unit temperature_unit
  tilt_cmd_t tilt_command_topic  tilt_cmd_tpl tilt_command_template
  tilt_status_t tilt_status_topic  tilt_status_tpl tilt_status_template
  uniq_id unique_id  unit_of_meas unit_of_measurement  val_tpl value_template
  xy_cmd_t xy_command_topic  xy_stat_t xy_state_topic  xy_val_tpl xy_value_template`)

const DEVICE = names(`
  cns connections  cu configuration_url  hw hw_version  ids identifiers  mdl model  mdl_id model_id
  mf manufacturer  sa suggested_area  sn serial_number  sw sw_version`)

const ORIGIN = names('sw sw_version  url support_url')

/** A configuration of one entity with long names and whole topics. What it doesn't know stays as it is. */
export function lengthen(config: Data): Data {
  const long = renamed(config, ROOT)
  if (isData(long.device)) long.device = renamed(long.device, DEVICE)
  if (isData(long.origin)) long.origin = renamed(long.origin, ORIGIN)
  if (Array.isArray(long.availability)) {
    long.availability = long.availability.map((one) => (isData(one) ? renamed(one, ROOT) : one))
  } else if (isData(long.availability)) long.availability = [renamed(long.availability, ROOT)]
  const base = long['~']
  return typeof base === 'string' ? based(long, base) : long
}

function based(config: Data, base: string): Data {
  const whole = (topic: Json | undefined): Json =>
    typeof topic !== 'string'
      ? (topic ?? null)
      : topic.startsWith('~')
        ? base + topic.slice(1)
        : topic.endsWith('~')
          ? topic.slice(0, -1) + base
          : topic
  const full: Data = {}
  for (const [key, value] of Object.entries(config)) full[key] = key.endsWith('topic') ? whole(value) : value
  if (Array.isArray(full.availability)) {
    full.availability = full.availability.map((one) =>
      isData(one) ? { ...one, topic: whole(one.topic) } : one,
    )
  }
  return full
}

function renamed(data: Data, long: Map<string, string>): Data {
  // From entries, so that no key of a stranger becomes a prototype.
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [long.get(key) ?? key, value]))
}

function names(pairs: string): Map<string, string> {
  const words = pairs.trim().split(/\s+/)
  return new Map(words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1] as string] as const] : [])))
}
