/* SPDX-License-Identifier: MIT */
/* kd_verbs: what each verb of a description takes; see kd.h. docs/KERNEL-DESCRIPTION.md explains them to users. */
#include "kd.h"

#define TYPE_KEY                                                                                             \
	{                                                                                                    \
		"type", KD_WORD, "va pa pfn struct", false, "what the page expression gives"                 \
	}
#define PAGE_KEYS                                                                                            \
	{"page", KD_EXPRESSION, NULL, false, "the page"}, TYPE_KEY,                                          \
	    {"each", KD_EXPRESSION, NULL, false, "several pages: where the array or list of them begins"},   \
	    {"n", KD_EXPRESSION, NULL, false, "of an array: how many"},                                      \
	{                                                                                                    \
		"link", KD_EXPRESSION, NULL, false, "of a list: offset of the node in what is listed"        \
	}
#define CALL_KEYS                                                                                            \
	PAGE_KEYS, {"count", KD_EXPRESSION, NULL, false, "how many pages"},                                  \
	    {"when", KD_EXPRESSION, NULL, false, "the call counts where this is not 0"},                     \
	{                                                                                                    \
		"notinside", KD_FUNCTIONS, NULL, false, "calls made by these hooked functions do not count"  \
	}
#define ARRAY_KEYS                                                                                           \
	{"page", KD_EXPRESSION, NULL, false, "the page of element i"}, TYPE_KEY,                             \
	    {"size", KD_EXPRESSION, NULL, false, "bytes of the array, where the type does not say"},         \
	    {"elem", KD_EXPRESSION, NULL, false, "bytes of the number"},                                     \
	    {"off", KD_EXPRESSION, NULL, false, "where the number lies in an element"},                      \
	    {"stride", KD_EXPRESSION, NULL, false, "bytes from one element to the next"},                    \
	    {"value", KD_EXPRESSION, NULL, false, "the number that counts, of the word v"},                  \
	{                                                                                                    \
		"funcs", KD_FUNCTIONS, NULL, false, "functions that may write it"                            \
	}
#define OBJECT_KEYS                                                                                          \
	{"object", KD_EXPRESSION, NULL, false, "the object"},                                                \
	    {"size", KD_EXPRESSION, NULL, false, "its bytes"},                                               \
	{                                                                                                    \
		"notinside", KD_FUNCTIONS, NULL, false, "calls made by these hooked functions do not count"  \
	}

const struct kd_verb_spec kd_verbs[KD_NR] = {
    [KD_SYMBOLS] = {"symbols",
		    KD_NO_SUBJECT,
		    true,
		    "the kernel is a raw image, whose names are elsewhere",
		    {{"map", KD_FILE, NULL, true,
		      "a System.map; a relative path is from the description's folder"},
		     {"va", KD_EXPRESSION, NULL, true, "virtual address of the image's first byte"}}},
    [KD_RAM] = {"ram",
		KD_NO_SUBJECT,
		true,
		"where RAM begins",
		{{"base", KD_EXPRESSION, NULL, true, "physical address"}}},
    [KD_TEXT] = {"text",
		 KD_NO_SUBJECT,
		 false,
		 "the kernel's code",
		 {{"from", KD_EXPRESSION, NULL, true, "first address"},
		  {"to", KD_EXPRESSION, NULL, true, "address behind"}}},
    [KD_MAP] = {"map",
		KD_NO_SUBJECT,
		false,
		"a linear mapping of RAM",
		{{"va", KD_EXPRESSION, NULL, true, "virtual"},
		 {"pa", KD_EXPRESSION, NULL, true, "physical"},
		 {"size", KD_EXPRESSION, NULL, true, "bytes"}}},
    [KD_HARTS] = {"harts",
		  KD_NO_SUBJECT,
		  true,
		  "the most harts that the kernel runs on",
		  {{"most", KD_EXPRESSION, NULL, true, "number"}}},
    [KD_STACK] = {"stack",
		  KD_NO_SUBJECT,
		  true,
		  "kernel stacks",
		  {{"size", KD_EXPRESSION, NULL, false, "bytes of one"},
		   {"top", KD_EXPRESSION, NULL, false, "frames kept of a stack"},
		   {"unwind", KD_WORD, "fp none", false, "whether functions keep a frame pointer"}}},
    [KD_TRAP] = {"trap",
		 KD_FUNCTION,
		 false,
		 "entry of traps: a stack goes on at what was interrupted",
		 {{"pc", KD_EXPRESSION, NULL, true, "saved program counter, from `frame`"},
		  {"fp", KD_EXPRESSION, NULL, true, "saved frame pointer"}}},
    [KD_PID] = {"pid",
		KD_NO_SUBJECT,
		true,
		"the process that runs on a hart",
		{{"at", KD_EXPRESSION, NULL, true, "its number, 0 for none"}}},
    [KD_PAGES] = {"pages",
		  KD_NO_SUBJECT,
		  true,
		  "the array of struct page",
		  {{"base", KD_EXPRESSION, NULL, true, "address of the first"},
		   {"stride", KD_EXPRESSION, NULL, true, "bytes of one"},
		   {"struct", KD_MEMBERS, NULL, false, "its type's name, where that is not page"},
		   {"pa", KD_EXPRESSION, NULL, true, "physical address of the page of the first"}}},
    [KD_ALLOC] = {"alloc",
		  KD_FUNCTION,
		  false,
		  "hands out pages",
		  {CALL_KEYS, {"fail", KD_EXPRESSION, NULL, false, "the result that means none"}}},
    [KD_FREE] = {"free",
		 KD_FUNCTION,
		 false,
		 "takes pages back",
		 {CALL_KEYS,
		  {"push", KD_FUNCTIONS, NULL, false,
		   "the page is free when these store the list's link into it"}}},
    [KD_GET] = {"get", KD_FUNCTION, false, "takes a reference of a page", {CALL_KEYS}},
    [KD_PUT] = {"put", KD_FUNCTION, false, "gives a reference back", {CALL_KEYS}},
    [KD_OBJALLOC] = {"objalloc", KD_FUNCTION, false, "hands out objects within pages", {OBJECT_KEYS}},
    [KD_OBJFREE] = {"objfree", KD_FUNCTION, false, "takes objects back", {OBJECT_KEYS}},
    [KD_COUNT] = {"count",
		  KD_PLACE,
		  false,
		  "an array of reference counts, one a page",
		  {ARRAY_KEYS,
		   {"in", KD_WORD, "struct", false, "the counts are members of struct page, at off="}}},
    [KD_STATE] = {"state",
		  KD_PLACE,
		  false,
		  "an array of words, one a page, whose change means more",
		  {ARRAY_KEYS,
		   {"alloc", KD_EXPRESSION, NULL, false, "of old and v: true when the page is allocated"},
		   {"free", KD_EXPRESSION, NULL, false, "true when it is freed"}}},
    [KD_LIST] = {"list",
		 KD_PLACE,
		 false,
		 "a list of free pages, for the audit: its head; [] stands for every element of an array",
		 {{"next", KD_MEMBERS, NULL, false, "the member that leads on, or its offset"},
		  {"link", KD_MEMBERS, NULL, false, "member of struct page that the node is, or its offset"},
		  {"at", KD_EXPRESSION, NULL, false,
		   "address of head number i; the place is only a name then"},
		  {"n", KD_EXPRESSION, NULL, false, "how many heads at= has"},
		  {"pages", KD_EXPRESSION, NULL, false,
		   "pages of one node; [1], or i with at=, is the number of the head"},
		  TYPE_KEY}},
    [KD_PROCS] = {"procs",
		  KD_PLACE,
		  true,
		  "the table of processes",
		  {{"state", KD_MEMBERS, NULL, true, "member that says what a slot is"},
		   {"unused", KD_EXPRESSION, NULL, true, "its value in an unused slot"},
		   {"running", KD_EXPRESSION, NULL, false, "its value while it runs"},
		   {"zombie", KD_EXPRESSION, NULL, false, "its value when it has ended"},
		   {"pid", KD_MEMBERS, NULL, false, "its number"},
		   {"tables", KD_MEMBERS, NULL, false, "page tables"},
		   {"stack", KD_MEMBERS, NULL, false, "address of the kernel stack"},
		   {"sp", KD_MEMBERS, NULL, false, "saved stack pointer"},
		   {"frame", KD_MEMBERS, NULL, false, "pointer to the saved registers of the user"},
		   {"name", KD_MEMBERS, NULL, false, "text"}}},
    [KD_ROOT] = {"root", KD_PLACE, false, "the kernel's own page table", {{0}}},
    [KD_PTE] = {"pte",
		KD_NO_SUBJECT,
		true,
		"code that writes page-table entries",
		{{"funcs", KD_FUNCTIONS, NULL, false, "the functions; without, the levels alone are said"},
		 {"levels", KD_EXPRESSION, NULL, false, "levels of a table, 3 for Sv39"}}},
    [KD_TABLE] = {"table",
		  KD_PLACE,
		  false,
		  "an array whose unused slots hold stale pointers",
		  {{"used", KD_MEMBERS, NULL, true, "member that is not 0 in a slot in use"}}},
    [KD_WEAK] = {"weak",
		 KD_PLACE,
		 false,
		 "a variable whose pointers hold no page: a registry",
		 {{"link", KD_MEMBERS, NULL, false,
		   "member of struct page by which pages hang in it, and hold no other"}}},
    [KD_SLAB] = {"slab",
		 KD_NO_SUBJECT,
		 true,
		 "pages of equal objects: the free ones hold nothing",
		 {{"free", KD_MEMBERS, NULL, true,
		   "member of struct page: the first free object; each begins with the next"},
		  {"size", KD_EXPRESSION, NULL, true,
		   "bytes of an object: a member of struct page, or MEMBER->MEMBER"},
		  {"used", KD_MEMBERS, NULL, true,
		   "member of struct page that is not 0 in a page of objects"}}},
    [KD_CONSOLE] = {"console",
		    KD_NO_SUBJECT,
		    false,
		    "where the console's text leaves",
		    {{"uart", KD_EXPRESSION, NULL, false, "address of the transmit register"},
		     {"pa", KD_EXPRESSION, NULL, false,
		      "the same, physical: for a kernel that maps it as it likes"},
		     {"sbi", KD_FLAG, NULL, false, "calls of the firmware"},
		     {"funcs", KD_FUNCTIONS, NULL, false, "functions that store to it"}}},
    [KD_MARK] =
	{"mark",
	 KD_NO_SUBJECT,
	 false,
	 "what on the console begins or ends a test, or is a panic; POSIX extended, group 1 is the name",
	 {{"begin", KD_REGEX, NULL, false, "a test begins: matched while its line is printed"},
	  {"line", KD_REGEX, NULL, false, "a test begins: matched when its line is whole"},
	  {"end", KD_REGEX, NULL, false, "it ends"},
	  {"panic", KD_REGEX, NULL, false, "the kernel dies"}}},
};
