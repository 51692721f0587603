import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{definition}from"./chunk-4ERPSC63.mjs";import"./chunk-XZGHAUKV.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-T2HU3UG2.mjs";export{definition};
