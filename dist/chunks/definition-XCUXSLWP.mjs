import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{definition}from"./chunk-OSZVS5O4.mjs";import"./chunk-G67FER4F.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-PLGI4CXG.mjs";export{definition};
