include $(sort $(wildcard $(BR2_EXTERNAL_L4RE_DRIVERS_PATH)/package/*/*.mk))
