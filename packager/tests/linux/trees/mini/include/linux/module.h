/* SPDX-License-Identifier: MIT */
#ifndef _LINUX_MODULE_H
#define _LINUX_MODULE_H
#define MODULE_INFO_TEXT2(line, text) static const char mini_modinfo_##line[] \
	__attribute__((used, section(".modinfo"))) = text
#define MODULE_INFO_TEXT(line, text) MODULE_INFO_TEXT2(line, text)
#define MODULE_LICENSE(text) MODULE_INFO_TEXT(__LINE__, "license=" text)
#define MODULE_FIRMWARE(text) MODULE_INFO_TEXT(__LINE__, "firmware=" text)
#endif
